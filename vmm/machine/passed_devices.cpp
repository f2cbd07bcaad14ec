// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/passed_devices.hpp"

#include <utility>

#include "devices/vfio/taking.hpp"

namespace mote {

Result<PassedDevices> PassedDevices::open(const VmConfig& config) {
  PassedDevices devices;
  if (config.vfios.empty()) return devices;
  std::vector<PciAddress> addresses;
  for (const VfioConfig& device : config.vfios) addresses.push_back(device.address.value());
  vfio::TakenFunctions taken = TRY(vfio::take_functions(vfio::HostFunctions(), addresses));
  devices.space_ = std::move(taken.space);
  for (vfio::TakenFunctions::One& one : taken.functions) {
    devices.kvm_files_.push_back(one.kvm_file);
    devices.functions_.push_back(TRY(vfio::Function::create(std::move(one.device))));
  }
  return devices;
}

Result<void> PassedDevices::reach(PreparedVm& vm) const {
  if (empty()) return {};
  TRY(vfio::map_all(*space_, vm.memory));
  return vm.vm.add_vfio_files(kvm_files_);
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
