// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/passed_devices.hpp"

namespace mote {

Result<PassedDevices> PassedDevices::open(const VmConfig& config) {
  PassedDevices devices;
  if (config.vfios.empty()) return devices;
  const vfio::HostFunctions host;
  devices.container_ = TRY(vfio::Container::open());
  for (const VfioConfig& device : config.vfios) {
    devices.functions_.push_back(
        TRY(vfio::Function::create(TRY(devices.container_->add(host, device.address.value())))));
  }
  return devices;
}

Result<void> PassedDevices::reach(PreparedVm& vm) const {
  if (empty()) return {};
  TRY(container_->map(vm.memory));
  return vm.vm.add_vfio_groups(container_->group_fds());
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
