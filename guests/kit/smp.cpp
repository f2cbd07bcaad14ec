// SPDX-License-Identifier: Apache-2.0
// Start of application processors. Called on the first vCPU.
#include "guests/kit/smp.hpp"

#include "guests/kit/acpi.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/mp_table.hpp"
#include "guests/kit/time.hpp"

extern "C" {
extern const char trampoline[];
extern const char trampoline_end[];
kit::u64 ap_stack_top;
}

namespace kit {
namespace {

// A page that a SIPI can name. What the monitor keeps there comes back after each start.
constexpr u64 kTrampolinePage = 0x8000;
constexpr std::size_t kTrampolineRoom = 64;
constexpr std::size_t kStackSize = 4 * kKiB;

alignas(16) char stacks[kMaxCpus][kStackSize];
u32 stacks_in_use = 0;
CpuFunction ap_function;
u32 ap_is_up;

extern "C" [[noreturn]] void kit_ap_entry() {
  const CpuFunction function = ap_function;
  __atomic_store_n(&ap_is_up, 1, __ATOMIC_RELEASE);
  function();
  halt_forever();
}

bool wait_for_start(u64 microseconds) {
  const Deadline deadline(microseconds);
  while (__atomic_load_n(&ap_is_up, __ATOMIC_ACQUIRE) == 0) {
    if (deadline.has_passed()) return false;
    pause();
  }
  return true;
}

}  // namespace

CpuList find_cpus(const BootInfo& info) {
  CpuList cpus;
  if (!acpi::list_cpus(info, cpus) && !mp_table::list_cpus(cpus)) {
    cpus.add(cpuid(1).ebx >> 24);
  }
  return cpus;
}

bool start_cpu(u32 apic_id, CpuFunction function) {
  const auto size = static_cast<std::size_t>(trampoline_end - trampoline);
  if (size > kTrampolineRoom || stacks_in_use == kMaxCpus) return false;
  ap_function = function;
  ap_stack_top = reinterpret_cast<u64>(stacks[stacks_in_use++] + kStackSize);
  __atomic_store_n(&ap_is_up, 0, __ATOMIC_RELEASE);

  char kept[kTrampolineRoom];
  auto* page = reinterpret_cast<char*>(kTrampolinePage);
  __builtin_memcpy(kept, page, size);
  __builtin_memcpy(page, trampoline, size);

  lapic::send(apic_id, lapic::Delivery::kInit, 0);
  lapic::send(apic_id, lapic::Delivery::kStartup, kTrampolinePage >> 12);
  bool is_up = wait_for_start(10'000);
  if (!is_up) {
    lapic::send(apic_id, lapic::Delivery::kStartup, kTrampolinePage >> 12);
    is_up = wait_for_start(1'000'000);
  }
  __builtin_memcpy(page, kept, size);
  return is_up;
}

}  // namespace kit
