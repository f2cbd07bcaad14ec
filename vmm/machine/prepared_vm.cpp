// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/prepared_vm.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "vmm/arch/cpu_state.hpp"
#include "vmm/arch/layout.hpp"

namespace mote {
namespace {

/// RAM around the hole of the devices.
std::vector<GpaRange> ram_ranges(u64 size) {
  const u64 low = std::min(size, layout::kHoleStart.raw());
  std::vector<GpaRange> ranges = {{Gpa(0), low}};
  if (size > low) ranges.push_back({layout::kHoleEnd, size - low});
  return ranges;
}

}  // namespace

Result<PreparedVm> PreparedVm::create(const MachineConfig& config, kvm::Vm vm, Timeline& timeline) {
  GuestMemory memory =
      TRY(GuestMemory::create(ram_ranges(config.memory_bytes), {.huge_pages = config.huge_pages}));
  TRY(vm.set_memory(memory));
  timeline.mark("memory set");
  std::vector<kvm::Vcpu> vcpus;
  vcpus.reserve(config.vcpus);
  for (u32 id = 0; id < config.vcpus; ++id) vcpus.push_back(TRY(vm.create_vcpu(id)));
  return PreparedVm{.memory = std::move(memory), .vm = std::move(vm), .vcpus = std::move(vcpus)};
}

void PreparedVm::touch_first_pages() const {
  constexpr u64 kStartOfImage = 128 * kKiB;
  constexpr GpaRange kRanges[] = {
      {Gpa(0), layout::kImageStart.raw()},
      {Gpa(layout::kMpTable.raw() & ~(kPageSize - 1)), kPageSize},
      {layout::kAcpi, kPageSize},
      {layout::kHighRamStart, kStartOfImage},
  };
  for (const GpaRange& range : kRanges) {
    const auto slice = memory.slice(range.start, range.size);
    if (!slice) continue;
    const iovec pages = slice->as_iovec();
    ::madvise(pages.iov_base, pages.iov_len, MADV_POPULATE_WRITE);
  }
}

void PreparedVm::enter_once() {
  constexpr Gpa kPlace = layout::kHighRamStart;
  constexpr u16 kWriteToPort80 = 0x80e6;  // out 0x80, al
  kvm::Vcpu& vcpu = vcpus.front();
  if (!memory.store(kPlace, kWriteToPort80)) return;
  if (vcpu.set_state(arch::pvh_entry_state(kPlace.raw(), Gpa(0))) && vcpu.run()) {
    vcpu.request_exit();
    static_cast<void>(vcpu.run());  // which lets KVM finish the instruction
    vcpu.clear_exit_request();
  }
  static_cast<void>(memory.store(kPlace, u16{0}));
}

Result<void> PreparedVm::set_up_vcpus(arch::CpuidTable cpuid, std::span<const CpuidMask> masks) {
  arch::normalize_cpuid(cpuid, static_cast<u32>(vcpus.size()), vcpus.front().tsc_khz());
  arch::mask_cpuid(cpuid, masks);
  for (kvm::Vcpu& vcpu : vcpus) {
    arch::set_cpuid_apic_id(cpuid, vcpu.id());
    TRY(vcpu.set_cpuid(cpuid));
    TRY(vcpu.set_boot_msrs());
  }
  vcpus_set_up = true;
  return {};
}

}  // namespace mote
