// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/passed_devices.hpp"

#include <utility>

#include "devices/vfio/kernel_device.hpp"
#include "devices/vfio/taking.hpp"

namespace mote {

Result<PassedDevices> PassedDevices::open(const VmConfig& config) {
  PassedDevices devices;
  if (config.vfios.empty()) return devices;
  const vfio::HostFunctions host;
  std::vector<PciAddress> addresses;
  for (const VfioConfig& device : config.vfios) addresses.push_back(device.address.value());
  devices.space_ = TRY(vfio::open_address_space(host, addresses));
  for (const PciAddress& address : addresses) {
    TRY(vfio::join(host, *devices.space_, address));
    UniqueFd fd = TRY(devices.space_->take(address));
    devices.functions_.push_back(TRY(vfio::Function::create(
        TRY(vfio::open_kernel_device(std::move(fd), print_pci_address(address))))));
  }
  return devices;
}

Result<void> PassedDevices::reach(PreparedVm& vm) const {
  if (empty()) return {};
  TRY(vfio::map_all(*space_, vm.memory));
  return vm.vm.add_vfio_files(space_->kvm_files());
}

Result<void> PassedDevices::plug_in(Board& board, kvm::Vm& vm) const {
  for (const auto& function : functions_) {
    TRY(board.add_pci(*function));
    for (const vfio::Function::Direct& part : function->direct()) {
      const Gpa home(function->home(part.bar).raw() + part.area.offset);
      TRY(vm.add_device_memory(home, part.mapping.bytes()));
    }
    TRY(function->connect(*TRY(board.interrupts().trigger_lines(function->vectors()))));
  }
  return {};
}

}  // namespace mote
