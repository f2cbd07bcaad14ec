// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/cpuid.hpp"

#include <bit>

namespace mote::arch {
namespace {

// Leaves [SDM 2A CPUID], [APM 3 E.3].
constexpr u32 kFeatures = 0x1;
constexpr u32 kCaches = 0x4;
constexpr u32 kThermalPower = 0x6;
constexpr u32 kTopology = 0xb;
constexpr u32 kTopologyV2 = 0x1f;
constexpr u32 kHypervisor = 0x40000000;
constexpr u32 kHypervisorTiming = 0x40000010;
constexpr u32 kAmdSizes = 0x80000008;
constexpr u32 kAmdCaches = 0x8000001d;
constexpr u32 kAmdTopology = 0x8000001e;

// Leaf 1.
constexpr u32 kEcxTscDeadline = 1u << 24;
constexpr u32 kEcxHypervisor = 1u << 31;
constexpr u32 kEdxHyperThreading = 1u << 28;
// Leaf 0Bh: levels.
constexpr u32 kLevelThread = 1;
constexpr u32 kLevelCore = 2;
/// KVM's local APICs count at 1 GHz.
constexpr u32 kApicBusKhz = 1'000'000;

/// Bits of an APIC id that number the CPUs of the package.
u32 id_bits(u32 vcpu_count) {
  return static_cast<u32>(std::bit_width(vcpu_count - 1));
}

constexpr u32 replace(u32 value, u32 shift, u32 width, u32 field) {
  const u32 mask = ((1u << width) - 1) << shift;
  return (value & ~mask) | ((field << shift) & mask);
}

/// One thread per core, all cores in one package, one package per machine.
void set_topology_level(CpuidEntry& entry, u32 vcpu_count) {
  entry.eax = entry.ebx = 0;
  entry.ecx = entry.index & 0xff;
  if (entry.index == 0) {
    entry.ebx = 1;
    entry.ecx |= kLevelThread << 8;
  } else if (entry.index == 1) {
    entry.eax = id_bits(vcpu_count);
    entry.ebx = vcpu_count;
    entry.ecx |= kLevelCore << 8;
  }
}

/// Caches of level 1 and 2 belong to a core, those above to the package.
void set_cache_sharing(CpuidEntry& entry, u32 vcpu_count, bool has_core_count) {
  if ((entry.eax & 0x1f) == 0) return;  // no more caches
  const u32 level = (entry.eax >> 5) & 0x7;
  entry.eax = replace(entry.eax, 14, 12, level >= 3 ? (1u << id_bits(vcpu_count)) - 1 : 0);
  if (has_core_count) entry.eax = replace(entry.eax, 26, 6, (1u << id_bits(vcpu_count)) - 1);
}

}  // namespace

void normalize_cpuid(CpuidTable& table, u32 vcpu_count, u32 tsc_khz) {
  bool has_topology = false;
  for (CpuidEntry& entry : table) {
    switch (entry.function) {
      case kFeatures:
        entry.ecx |= kEcxTscDeadline | kEcxHypervisor;
        entry.ebx = replace(entry.ebx, 16, 8, vcpu_count);
        entry.edx =
            vcpu_count > 1 ? entry.edx | kEdxHyperThreading : entry.edx & ~kEdxHyperThreading;
        break;
      case kCaches:
        set_cache_sharing(entry, vcpu_count, true);
        break;
      case kThermalPower:
        entry.ecx = 0;  // the guest cannot read performance counters of the host's CPU
        break;
      case kTopology:
      case kTopologyV2:
        has_topology = true;
        set_topology_level(entry, vcpu_count);
        break;
      case kHypervisor:
        if (tsc_khz != 0) entry.eax = kHypervisorTiming;
        break;
      case kAmdSizes:
        entry.ecx = replace(entry.ecx, 0, 8, vcpu_count - 1);
        entry.ecx = replace(entry.ecx, 12, 4, id_bits(vcpu_count));
        break;
      case kAmdCaches:
        set_cache_sharing(entry, vcpu_count, false);
        break;
      default:
        break;
    }
  }
  // KVM may list the topology leaf with its first level only: the core level is needed as well.
  if (has_topology) {
    for (const u32 leaf : {kTopology, kTopologyV2}) {
      bool listed = false;
      bool core_level = false;
      for (const CpuidEntry& entry : table) {
        listed |= entry.function == leaf;
        core_level |= entry.function == leaf && entry.index == 1;
      }
      if (!listed || core_level) continue;
      CpuidEntry level{.function = leaf, .index = 1, .has_index = true};
      set_topology_level(level, vcpu_count);
      table.push_back(level);
    }
  }
  if (tsc_khz != 0) {
    std::erase_if(table, [](const CpuidEntry& e) { return e.function == kHypervisorTiming; });
    table.push_back({.function = kHypervisorTiming, .eax = tsc_khz, .ebx = kApicBusKhz});
  }
}

void set_cpuid_apic_id(CpuidTable& table, u32 apic_id) {
  for (CpuidEntry& entry : table) {
    switch (entry.function) {
      case kFeatures:
        entry.ebx = replace(entry.ebx, 24, 8, apic_id);
        break;
      case kTopology:
      case kTopologyV2:
        entry.edx = apic_id;
        break;
      case kAmdTopology:
        entry.eax = apic_id;
        entry.ebx = apic_id & 0xff;  // one thread per core: the core's number
        entry.ecx = 0;               // one node
        break;
      default:
        break;
    }
  }
}

void mask_cpuid(CpuidTable& table, std::span<const CpuidMask> masks) {
  for (const CpuidMask& mask : masks) {
    for (CpuidEntry& entry : table) {
      if (entry.function != mask.leaf || (entry.has_index && entry.index != mask.subleaf)) continue;
      using Register = CpuidMask::Register;
      u32& reg = mask.reg == Register::kEax   ? entry.eax
                 : mask.reg == Register::kEbx ? entry.ebx
                 : mask.reg == Register::kEcx ? entry.ecx
                                              : entry.edx;
      reg = (reg & ~mask.clear) | mask.set;
    }
  }
}

}  // namespace mote::arch
