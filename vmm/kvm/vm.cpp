// SPDX-License-Identifier: Apache-2.0
#include "vmm/kvm/vm.hpp"

#include <fcntl.h>

#include <algorithm>

#include "core/log.hpp"
#include "core/text.hpp"
#include "vmm/arch/layout.hpp"
#include "vmm/kvm/ioctl.hpp"
#include "vmm/kvm/table.hpp"

namespace mote::kvm {
namespace {

constexpr u32 kMostCpuidEntries = 256;  // KVM_MAX_CPUID_ENTRIES
constexpr int kApiVersion = 12;         // the only one since Linux 2.6.22

Result<UniqueFd> open_kvm() {
  auto system =
      open_file("/dev/kvm", O_RDWR,
                "load the module (modprobe kvm_intel or kvm_amd), and let the user open it: "
                "usermod -aG kvm USER");
  if (!system) return system;
  const int version = TRY(kvm_ioctl(*system, KVM_REQUEST(KVM_GET_API_VERSION), 0));
  if (version != kApiVersion) {
    return Error::host(
        format("/dev/kvm speaks API version %d: Mote needs version %d -- use a Linux "
               "kernel's own KVM",
               version, kApiVersion));
  }
  return system;
}

}  // namespace

Result<Vm> Vm::create() {
  UniqueFd system = TRY(open_kvm());
  UniqueFd vm(TRY(kvm_ioctl(system, KVM_REQUEST(KVM_CREATE_VM), 0)));
  kvm_enable_cap split{};
  split.cap = KVM_CAP_SPLIT_IRQCHIP;
  split.args[0] = kPinCount;
  TRY(kvm_ioctl(vm, KVM_REQUEST(KVM_ENABLE_CAP), &split, "KVM_CAP_SPLIT_IRQCHIP"));
  const int run_size = TRY(kvm_ioctl(system, KVM_REQUEST(KVM_GET_VCPU_MMAP_SIZE), 0));
  return Vm(std::move(system), std::move(vm), static_cast<std::size_t>(run_size));
}

Result<void> Vm::set_memory(const GuestMemory& memory) {
  // Both only matter to Intel hosts without unrestricted guest mode; elsewhere they cost nothing.
  u64 identity_map = layout::kIdentityMap.raw();
  TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_SET_IDENTITY_MAP_ADDR), &identity_map));
  TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_SET_TSS_ADDR), layout::kTss.raw()));
  u32 slot = 0;
  for (const GuestMemory::Region& region : memory.regions()) {
    kvm_userspace_memory_region request{};
    request.slot = slot++;
    request.guest_phys_addr = region.range.start.raw();
    request.memory_size = region.range.size;
    request.userspace_addr = reinterpret_cast<u64>(region.mapping.data());
    const auto set = kvm_ioctl(vm_, KVM_REQUEST(KVM_SET_USER_MEMORY_REGION), &request);
    if (!set) {
      return Error(set.error())
          .within(format("memory slot %u, GPA 0x%llx, %llu MiB", request.slot,
                         request.guest_phys_addr, request.memory_size / kMiB));
    }
  }
  return {};
}

Result<std::vector<arch::CpuidEntry>> Vm::supported_cpuid() const {
  Table<kvm_cpuid_entry2, kMostCpuidEntries> table;
  table.count = kMostCpuidEntries;
  TRY(kvm_ioctl(system_, KVM_TABLE_REQUEST(KVM_GET_SUPPORTED_CPUID), &table));
  const u32 count = std::min(table.count, kMostCpuidEntries);
  std::vector<arch::CpuidEntry> result;
  result.reserve(count + 4);  // room for the leaves that arch adds
  for (u32 i = 0; i < count; ++i) {
    const kvm_cpuid_entry2& e = table.entries[i];
    result.push_back({e.function, e.index, (e.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0, e.eax,
                      e.ebx, e.ecx, e.edx});
  }
  return result;
}

Result<Vcpu> Vm::create_vcpu(u32 id) {
  UniqueFd fd(TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_CREATE_VCPU), static_cast<unsigned long>(id),
                            format("vCPU %u", id))));
  Mapping run = TRY(Mapping::create(run_size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0,
                                    "a vCPU's kvm_run"));
  return Vcpu(id, std::move(fd), std::move(run));
}

void Vm::signal_msi(const MsiMessage& message) const {
  kvm_msi request{};
  request.address_lo = message.address_low;
  request.address_hi = message.address_high;
  request.data = message.data;
  // 0 means that no local APIC took it, which is the guest's affair; so is an invalid message.
  ::ioctl(vm_.get(), KVM_SIGNAL_MSI, &request);
}

void Vm::set_pin_route(u32 pin, std::optional<MsiMessage> message) {
  if (routes_.at(pin) == message) return;
  routes_.at(pin) = message;
  publish_routes();
}

void Vm::publish_routes() {
  Table<kvm_irq_routing_entry, kPinCount> table;
  for (u32 pin = 0; pin < kPinCount; ++pin) {
    if (!routes_[pin]) continue;
    kvm_irq_routing_entry& entry = table.entries[table.count++];
    entry.gsi = pin;
    entry.type = KVM_IRQ_ROUTING_MSI;
    entry.u.msi.address_lo = routes_[pin]->address_low;
    entry.u.msi.address_hi = routes_[pin]->address_high;
    entry.u.msi.data = routes_[pin]->data;
  }
  // The messages are composed by the I/O APIC, so only a host out of memory can refuse them.
  const auto set = kvm_ioctl(vm_, KVM_TABLE_REQUEST(KVM_SET_GSI_ROUTING), &table);
  if (!set) log(LogLevel::kError, "%s", set.error().message().c_str());
}

}  // namespace mote::kvm
