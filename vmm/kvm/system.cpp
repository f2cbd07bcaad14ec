// SPDX-License-Identifier: Apache-2.0
#include "vmm/kvm/system.hpp"

#include <fcntl.h>

#include <algorithm>

#include "core/text.hpp"
#include "vmm/kvm/ioctl.hpp"
#include "vmm/kvm/table.hpp"

namespace mote::kvm {
namespace {

constexpr u32 kMostCpuidEntries = 256;  // KVM_MAX_CPUID_ENTRIES
constexpr int kApiVersion = 12;         // the only one since Linux 2.6.22

}  // namespace

Result<System> System::open() {
  UniqueFd fd = TRY(open_file("/dev/kvm", O_RDWR,
                              "load the module (modprobe kvm_intel or kvm_amd), and let the user "
                              "open it: usermod -aG kvm USER"));
  const int version = TRY(kvm_ioctl(fd, KVM_REQUEST(KVM_GET_API_VERSION), 0));
  if (version != kApiVersion) {
    return Error::host(
        format("/dev/kvm speaks API version %d: Mote needs version %d -- use a Linux "
               "kernel's own KVM",
               version, kApiVersion));
  }
  return System(std::move(fd));
}

Result<Vm> System::create_vm() const {
  UniqueFd vm(TRY(kvm_ioctl(fd_, KVM_REQUEST(KVM_CREATE_VM), 0)));
  kvm_enable_cap split{};
  split.cap = KVM_CAP_SPLIT_IRQCHIP;
  split.args[0] = kPinCount;
  TRY(kvm_ioctl(vm, KVM_REQUEST(KVM_ENABLE_CAP), &split, "KVM_CAP_SPLIT_IRQCHIP"));
  const int run_size = TRY(kvm_ioctl(fd_, KVM_REQUEST(KVM_GET_VCPU_MMAP_SIZE), 0));
  return Vm(std::move(vm), static_cast<std::size_t>(run_size));
}

Result<arch::CpuidTable> System::supported_cpuid() const {
  MOTE_UNINITIALIZED Table<kvm_cpuid_entry2, kMostCpuidEntries> table;
  table.count = kMostCpuidEntries;
  TRY(kvm_ioctl(fd_, KVM_TABLE_REQUEST(KVM_GET_SUPPORTED_CPUID), &table));
  const u32 count = std::min(table.count, kMostCpuidEntries);
  arch::CpuidTable result;
  result.reserve(count + 4);  // room for the leaves that arch adds
  for (u32 i = 0; i < count; ++i) {
    const kvm_cpuid_entry2& e = table.entries[i];
    result.push_back({e.function, e.index, (e.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0, e.eax,
                      e.ebx, e.ecx, e.edx});
  }
  return result;
}

}  // namespace mote::kvm
