// SPDX-License-Identifier: Apache-2.0
// Which vCPUs there are, and how to start them. Called on the first vCPU.
#pragma once

#include "guests/kit/boot_info.hpp"
#include "guests/kit/types.hpp"

namespace kit {

inline constexpr u32 kMaxCpus = 32;

/// APIC ids of the usable vCPUs, in the order of the table they come from.
struct CpuList {
  u32 count = 0;
  u32 apic_ids[kMaxCpus];

  void add(u32 apic_id) {
    if (count < kMaxCpus) apic_ids[count++] = apic_id;
  }
};

/// The vCPUs of the MADT, else of the MP table, else the one that runs.
CpuList find_cpus(const BootInfo& info);

/// Runs on a started vCPU, interrupts off. When it returns, the vCPU halts for good.
using CpuFunction = void (*)();

/// Starts the vCPU with this APIC id by INIT and SIPI [SDM 3A 9.4.4]; false when it has not come up
/// after a second. One at a time.
bool start_cpu(u32 apic_id, CpuFunction function);

}  // namespace kit
