// SPDX-License-Identifier: Apache-2.0
#include "vmm/kvm/vm.hpp"

#include "core/log.hpp"
#include "core/text.hpp"
#include "vmm/arch/layout.hpp"
#include "vmm/kvm/ioctl.hpp"
#include "vmm/kvm/table.hpp"

namespace mote::kvm {

Result<void> Vm::set_memory(const GuestMemory& memory) {
  // Both only matter to Intel hosts without unrestricted guest mode; elsewhere they cost nothing.
  u64 identity_map = layout::kIdentityMap.raw();
  TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_SET_IDENTITY_MAP_ADDR), &identity_map));
  TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_SET_TSS_ADDR), layout::kTss.raw()));
  for (const GuestMemory::Region& region : memory.regions()) {
    TRY(add_slot(region.range.start, region.mapping.bytes()));
  }
  return {};
}

Result<u32> Vm::add_device_memory(Gpa address, std::span<std::byte> memory) {
  const u32 number = slots_;
  TRY(add_slot(address, memory));
  return number;
}

Result<void> Vm::remove_device_memory(u32 number) const {
  kvm_userspace_memory_region request{};
  request.slot = number;  // of size 0: gone
  TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_SET_USER_MEMORY_REGION), &request,
                format("memory slot %u, to be removed", number)));
  return {};
}

Result<void> Vm::add_slot(Gpa address, std::span<std::byte> memory) {
  kvm_userspace_memory_region request{};
  request.slot = slots_++;
  request.guest_phys_addr = address.raw();
  request.memory_size = memory.size();
  request.userspace_addr = reinterpret_cast<u64>(memory.data());
  const auto set = kvm_ioctl(vm_, KVM_REQUEST(KVM_SET_USER_MEMORY_REGION), &request);
  if (set) return {};
  return Error(set.error())
      .within(format("memory slot %u, GPA 0x%llx, %llu KiB", request.slot, request.guest_phys_addr,
                     request.memory_size / kKiB));
}

Result<void> Vm::add_vfio_files(std::span<const int> files) {
  kvm_create_device device{};
  device.type = KVM_DEV_TYPE_VFIO;
  TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_CREATE_DEVICE), &device, "VFIO"));
  vfio_.reset(static_cast<int>(device.fd));
  for (const int file : files) TRY(set_vfio_file(KVM_DEV_VFIO_GROUP_ADD, file));
  return {};
}

Result<void> Vm::remove_vfio_file(int file) const {
  return set_vfio_file(KVM_DEV_VFIO_GROUP_DEL, file);
}

/// Since Linux 6.6 KVM_DEV_VFIO_FILE and its attributes have the same numbers.
Result<void> Vm::set_vfio_file(u64 attribute, int file) const {
  kvm_device_attr request{};
  request.group = KVM_DEV_VFIO_GROUP;
  request.attr = attribute;
  request.addr = reinterpret_cast<u64>(&file);
  TRY(kvm_ioctl(vfio_, KVM_REQUEST(KVM_SET_DEVICE_ATTR), &request, "a file of VFIO"));
  return {};
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

void Vm::set_routes(std::span<const std::byte> table) const {
  // The messages are composed or checked by devices, so only a host out of memory can refuse them.
  const auto set = kvm_ioctl(vm_, KVM_TABLE_REQUEST(KVM_SET_GSI_ROUTING), table.data());
  static LogLimiter limiter;  // the guest may reprogram interrupts as often as it likes
  if (!set) limiter.log(LogLevel::kError, "%s", set.error().message().c_str());
}

Result<void> Vm::add_ioeventfd(Gpa address, u32 value, int fd) {
  kvm_ioeventfd request{};
  request.addr = address.raw();
  request.len = sizeof(value);
  request.datamatch = value;
  request.fd = fd;
  request.flags = KVM_IOEVENTFD_FLAG_DATAMATCH;
  TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_IOEVENTFD), &request,
                format("GPA 0x%lx, value %u", address.raw(), value)));
  return {};
}

Result<void> Vm::add_ioeventfd(Gpa address, int fd) {
  kvm_ioeventfd request{};
  request.addr = address.raw();
  request.fd = fd;
  TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_IOEVENTFD), &request, format("GPA 0x%lx", address.raw())));
  return {};
}

Result<void> Vm::add_irqfd(u32 gsi, int fd) {
  return set_irqfd(gsi, fd, 0);
}

Result<void> Vm::remove_irqfd(u32 gsi, int fd) {
  return set_irqfd(gsi, fd, KVM_IRQFD_FLAG_DEASSIGN);
}

Result<void> Vm::set_irqfd(u32 gsi, int fd, u32 flags) {
  kvm_irqfd request{};
  request.fd = static_cast<u32>(fd);
  request.gsi = gsi;
  request.flags = flags;
  TRY(kvm_ioctl(vm_, KVM_REQUEST(KVM_IRQFD), &request, format("GSI %u", gsi)));
  return {};
}

}  // namespace mote::kvm
