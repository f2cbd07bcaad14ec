// SPDX-License-Identifier: Apache-2.0
// exception: faults of ring 0 and ring 3 arrive with their vector, error code and address, and the
// guest goes on. In ring 0 only what instruction emulators of software KVM know as well. Every
// return from ring 3 is a #BP.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/user.hpp"

namespace kit {
namespace {

constexpr u8 kDivideError = 0;
constexpr u8 kInvalidOpcode = 6;
constexpr u8 kGeneralProtection = 13;
constexpr u8 kPageFault = 14;

constexpr u64 kUnmapped = u64{1} << 40;
constexpr u64 kWriteFromRing3 = 6;  // error code: not present, write, user [SDM 3A 4.7]

struct Caught {
  u32 count = 0;
  u64 vector = 0;
  u64 error = 0;
  u64 cr2 = 0;
  u64 cs = 0;
};
Caught caught;
u64 resume_at;

void catch_and_resume(Frame& frame) {
  u64 cr2 = 0;
  asm volatile("mov %%cr2, %0" : "=r"(cr2));
  caught = {caught.count + 1, frame.vector, frame.error, cr2, frame.cs};
  frame.rip = resume_at;
}

// Runs one instruction that faults; the handler goes on behind it.
#define FAULT(instruction, ...)                    \
  asm volatile("movq $1f, %0\n" instruction "\n1:" \
               : "=m"(resume_at)                   \
               : __VA_ARGS__                       \
               : "rax", "rdx", "memory", "cc")

void divide_by_zero() {
  FAULT("xorl %%edx, %%edx; movl $1, %%eax; divl %1", "r"(0));
}
void invalid_opcode() {
  FAULT("ud2", "r"(0));
}
void load_unmapped() {
  FAULT("movb (%1), %%al", "r"(kUnmapped));
}
void store_unmapped() {
  FAULT("movb %%al, (%1)", "r"(kUnmapped));
}
void load_non_canonical() {
  FAULT("movb (%1), %%al", "r"(kUnmapped << 15));
}
void privileged() {
  FAULT("hlt", "r"(0));
}

void expect_fault(std::string_view name, u8 vector, u64 error, u64 ring) {
  expect(name,
         caught.count == 1 && caught.vector == vector && caught.error == error &&
             (caught.cs & 3) == ring,
         caught.count, " faults, vector ", caught.vector, " error ", hex(caught.error), " cs ",
         hex(caught.cs));
}

void in_ring0(std::string_view name, void (*instruction)(), u8 vector, u64 error) {
  caught = {};
  instruction();
  expect_fault(name, vector, error, 0);
}

void in_ring3(std::string_view name, void (*instruction)(), u8 vector, u64 error) {
  caught = {};
  run_in_ring3(
      [](u64 address) {
        reinterpret_cast<void (*)()>(address)();
        return u64{0};
      },
      reinterpret_cast<u64>(instruction));
  expect_fault(name, vector, error, 3);
}

}  // namespace

void guest_main(const BootInfo&) {
  for (const u8 vector : {kDivideError, kInvalidOpcode, kGeneralProtection, kPageFault}) {
    set_interrupt_handler(vector, catch_and_resume);
  }
  in_ring0("exception.divide", divide_by_zero, kDivideError, 0);
  in_ring0("exception.opcode", invalid_opcode, kInvalidOpcode, 0);
  in_ring0("exception.page_fault", load_unmapped, kPageFault, 0);
  expect_equal("exception.cr2", caught.cr2, kUnmapped);
  in_ring0("exception.protection", load_non_canonical, kGeneralProtection, 0);
  in_ring3("exception.ring3_divide", divide_by_zero, kDivideError, 0);
  in_ring3("exception.ring3_opcode", invalid_opcode, kInvalidOpcode, 0);
  in_ring3("exception.ring3_page_fault", store_unmapped, kPageFault, kWriteFromRing3);
  in_ring3("exception.ring3_privileged", privileged, kGeneralProtection, 0);
  done();
}

}  // namespace kit
