// SPDX-License-Identifier: Apache-2.0
// Sleep in ring 3 until a virtio device interrupts. First vCPU.
#include "guests/kit/doze.hpp"

#include "guests/kit/interrupts.hpp"

namespace kit::doze {
namespace {

constexpr u8 kGeneralProtection = 13;
constexpr u64 kInterruptStatus = 0x60;  // as in doze.S

extern "C" {
void doze_on_halt();
void doze_on_device();
u64 doze_registers;
u64 doze_interrupts;
u8 doze_is_awake;
}

/// Memory that takes the handler's accesses to registers.
u64 scratch_registers() {
  static u32 memory[2];
  return reinterpret_cast<u64>(memory) - kInterruptStatus;
}

}  // namespace

void prepare(u64 registers, u8 vector) {
  doze_registers = registers != kNothing ? registers : scratch_registers();
  set_interrupt_gate(kGeneralProtection, doze_on_halt);
  set_interrupt_gate(vector, doze_on_device);
}

void wake_up() {
  __atomic_store_n(&doze_is_awake, u8{1}, __ATOMIC_RELEASE);
}

u64 interrupts() {
  return __atomic_load_n(&doze_interrupts, __ATOMIC_ACQUIRE);
}

}  // namespace kit::doze
