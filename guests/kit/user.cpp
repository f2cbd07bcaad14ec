// SPDX-License-Identifier: Apache-2.0
// Ring 3: the task state segment with its stack and its I/O bitmap. First vCPU.
#include "guests/kit/user.hpp"

#include "guests/kit/interrupts.hpp"

namespace kit {
namespace {

constexpr u8 kReturnVector = 3;
constexpr u16 kTssSelector = 0x30;

// [SDM 3A 8.7, 18.5.2]. WHY the bitmap and not IOPL: software KVM drops IOPL at IRETQ. A clear bit
// opens a port, so memory that starts as zero opens all; only the end mark has to be written.
struct [[gnu::packed]] TaskState {
  u32 reserved0;
  u64 stack[3];
  u64 reserved1;
  u64 interrupt_stack[7];
  u64 reserved2;
  u16 reserved3;
  u16 bitmap_offset;
  u8 bitmap[65536 / 8];
  u8 end_mark;
};
static_assert(sizeof(TaskState) == 104 + 8192 + 1);

extern "C" {
alignas(16) TaskState task_state;
extern u64 gdt_tss[2];
u64 kit_enter_ring3(UserFunction function, u64 argument, void* user_stack);
[[noreturn]] void kit_leave_ring3(u64 result, u64 kernel_stack);
}

void leave(Frame& frame) {
  kit_leave_ring3(frame.rax, task_state.stack[0]);
}

alignas(16) char user_stack[16 * kKiB];

void prepare() {
  task_state.bitmap_offset = 104;
  task_state.end_mark = 0xFF;
  const u64 base = reinterpret_cast<u64>(&task_state);
  constexpr u64 kLimit = sizeof(TaskState) - 1;
  constexpr u64 kAvailableTss = 0x89;
  gdt_tss[0] = kLimit | (base & 0xFFFFFF) << 16 | kAvailableTss << 40 | (base >> 24 & 0xFF) << 56;
  gdt_tss[1] = base >> 32;
  asm volatile("ltr %w0" : : "r"(kTssSelector) : "memory");
  set_interrupt_handler(kReturnVector, leave);
}

}  // namespace

u64 run_in_ring3(UserFunction function, u64 argument) {
  if (task_state.end_mark == 0) prepare();
  return kit_enter_ring3(function, argument, user_stack + sizeof(user_stack));
}

}  // namespace kit
