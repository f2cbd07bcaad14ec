// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/passed_devices.hpp"

#include <utility>

#include "core/check.hpp"
#include "core/log.hpp"
#include "devices/vfio/kernel_device.hpp"
#include "devices/vfio/taking.hpp"

namespace mote {
namespace {

/// Only a host out of memory refuses to let go, and then the guest finds nobody all the same.
void expect(const Result<void>& done) {
  if (!done) log(LogLevel::kError, "%s", done.error().message().c_str());
}

}  // namespace

std::vector<PciAddress> addresses_of(std::span<const VfioConfig> devices) {
  std::vector<PciAddress> addresses;
  addresses.reserve(devices.size());
  for (const VfioConfig& device : devices) addresses.push_back(device.address.value());
  return addresses;
}

arch::PciDevices places_of_passed(const VmConfig& config) {
  const auto count = static_cast<u32>(config.vfios.size());
  return {.first = 1 + static_cast<u32>(pci_function_count(config)) - count, .count = count};
}

Result<PassedDevices> PassedDevices::open(const VmConfig& config) {
  if (config.vfios.empty()) return PassedDevices();
  return open(config,
              TRY(vfio::open_address_space(vfio::HostFunctions(), addresses_of(config.vfios))));
}

Result<PassedDevices> PassedDevices::open(const VmConfig& config,
                                          std::unique_ptr<vfio::AddressSpace> space) {
  PassedDevices devices;
  for (const VfioConfig& device : config.vfios) {
    const PciAddress& address = device.address.value();
    UniqueFd fd = TRY(space->take(address));
    TRY(devices.add(address,
                    TRY(vfio::open_kernel_device(std::move(fd), print_pci_address(address)))));
  }
  devices.space_ = std::move(space);
  return devices;
}

Result<void> PassedDevices::add(const PciAddress& address, std::unique_ptr<vfio::Device> device) {
  devices_.push_back(
      {.address = address, .function = TRY(vfio::Function::create(std::move(device)))});
  return {};
}

Result<void> PassedDevices::reach(PreparedVm& vm) {
  if (!space_) return {};
  TRY(space_->map_all(vm.memory));
  return vm.vm.add_vfio_files(space_->kvm_files());
}

Result<void> PassedDevices::plug_in(Board& board, kvm::Vm& vm) {
  for (Passed& device : devices_) {
    vfio::Function& function = *device.function;
    device.place = TRY(board.add_pci(function));
    for (const vfio::Function::Direct& part : function.direct()) {
      const Gpa home(function.home(part.bar).raw() + part.area.offset);
      device.memory_slots.push_back(TRY(vm.add_device_memory(home, part.mapping.bytes())));
    }
    TriggerLines& lines = *TRY(board.interrupts().trigger_lines(function.vectors()));
    TRY(function.connect(lines));
    device.lines = &lines;
  }
  return {};
}

/// ORDER: when no vCPU is inside the function any more, its memory goes before the mapping that is
/// behind it, and its interrupts before the eventfds. The kernel lets the host have it when nobody
/// holds its file, a mapping of that or, of a whole group, the group.
void PassedDevices::give_back(std::size_t device, Board& board, const kvm::Vm& vm) {
  Passed& passed = devices_.at(device);
  CHECK(passed.function != nullptr, "a device is given back once");
  board.remove_pci(passed.place);
  for (const u32 slot : passed.memory_slots) expect(vm.remove_device_memory(slot));
  passed.function->disconnect();
  passed.function.reset();
  board.interrupts().end_trigger_lines(passed.lines);
  if (!space_) return;
  if (const UniqueFd file = space_->leave(passed.address)) {
    expect(vm.remove_vfio_file(file.get()));
  }
}

}  // namespace mote
