// SPDX-License-Identifier: Apache-2.0
// CPUID as a guest sees it: the host's supported leaves, made true for each vCPU. Pure.
#pragma once

#include <span>
#include <vector>

#include "core/types.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote::arch {

/// One leaf (and sub-leaf, where `has_index`).
struct CpuidEntry {
  u32 function = 0;
  u32 index = 0;
  bool has_index = false;
  u32 eax = 0;
  u32 ebx = 0;
  u32 ecx = 0;
  u32 edx = 0;
};

using CpuidTable = std::vector<CpuidEntry>;

/// What all vCPUs share: hypervisor leaves with TSC and APIC frequency [kernel's
/// Documentation/virt/kvm/x86/cpuid.rst], TSC deadline, and the number of CPUs in the package.
/// Call once on what KVM supports. `tsc_khz` 0 leaves the frequency leaf out.
void normalize_cpuid(CpuidTable& table, u32 vcpu_count, u32 tsc_khz);
/// What differs per vCPU: its APIC id wherever CPUID shows one. KVM's own answer shows the id of
/// the host CPU that was asked. Call on the normalized table for each vCPU in turn.
void set_cpuid_apic_id(CpuidTable& table, u32 apic_id);

/// Makes bits 0 or 1 in the leaves that are there. Call on the normalized table.
void mask_cpuid(CpuidTable& table, std::span<const CpuidMask> masks);

}  // namespace mote::arch
