// SPDX-License-Identifier: Apache-2.0
#include "cli/serve/configured_vm.hpp"

#include <algorithm>
#include <utility>

#include "devices/vfio/taking.hpp"
#include "vmm/config/resource_rules.hpp"
#include "vmm/config/validate.hpp"

namespace mote {

void ConfiguredVm::take(VmConfig config, HostFiles files) {
  kernel_ = std::move(files.kernel);
  initrd_ = std::move(files.initrd);
  for (std::size_t i = 0; i < config.blocks.size(); ++i) {
    config.blocks[i].id = disk_id(config.blocks[i], i);
    images_.emplace(config.blocks[i].id, std::move(files.images[i]));
  }
  for (std::size_t i = 0; i < config.nets.size(); ++i) {
    config.nets[i].id = net_id(config.nets[i], i);
    taps_.emplace(config.nets[i].id, std::move(files.taps[i]));
  }
  for (std::size_t i = 0; i < config.vfios.size(); ++i) {
    config.vfios[i].id = vfio_id(config.vfios[i], i);
  }
  serial_ = std::move(files.serial);
  config_ = std::move(config);
}

Error ConfiguredVm::in_reach(Error error) const {
  if (!sandboxed_) return error;
  return Error::config(error.message() +
                       " (of the host's files the VM sees those below --dir, as its own user; "
                       "others can be passed as descriptors)");
}

Result<void> ConfiguredVm::put_boot_source(KernelConfig kernel) {
  const auto open = [&](const char* role, const std::string& path) -> Result<ImageFile> {
    auto file = ImageFile::open(role, path);
    if (file) return file;
    return in_reach(std::move(file).error())
        .within(std::string("The ") + role + " file cannot be opened");
  };
  ImageFile image = TRY(open("kernel", kernel.path));
  std::optional<ImageFile> initrd;
  if (!kernel.initrd.empty()) initrd = TRY(open("initrd", kernel.initrd));
  kernel_ = std::move(image);
  initrd_ = std::move(initrd);
  config_.kernel = std::move(kernel);
  return {};
}

Result<virtio::BlockImage> ConfiguredVm::open_image(const BlockConfig& drive, UniqueFd file) const {
  const bool direct = drive.cache == BlockCache::kDirect;
  auto image = file ? virtio::BlockImage::adopt(std::move(file), drive.id, drive.read_only, direct)
                    : virtio::BlockImage::open(drive.path, drive.read_only, direct);
  if (image) return image;
  return in_reach(std::move(image).error()).within("Error manipulating the backing file");
}

Result<void> ConfiguredVm::put_drive(const BlockConfig& drive, UniqueFd file) {
  std::vector<BlockConfig> blocks = config_.blocks;
  const std::string& id = drive.id;
  if (drive.path.empty() && !file) {
    return Error::config(
        "drive '" + id +
        "' has neither a path_on_host nor a descriptor that came with the request");
  }
  TRY(mote::put_drive(blocks, drive));
  // WHY close the old one first: it may be the same file, which it has locked.
  const BlockConfig* const before = find_drive(config_.blocks, id);
  const bool reopens = before != nullptr && !before->path.empty();
  if (reopens) images_.erase(id);
  auto image = open_image(drive, std::move(file));
  if (!image) {
    if (reopens) {
      auto again = open_image(*before, {});
      if (again) images_.insert_or_assign(id, *std::move(again));
    }
    return std::move(image).error();
  }
  images_.insert_or_assign(id, *std::move(image));
  config_.blocks = std::move(blocks);
  return {};
}

Result<std::unique_ptr<virtio::Tap>> ConfiguredVm::open_tap(const NetConfig& net,
                                                            std::vector<UniqueFd> taps) {
  const bool are_passed = !taps.empty();
  for (UniqueFd& tap : taps) tap.release();  // `net` has their numbers
  if (are_passed || !sandboxed_) return mote::open_tap(net);
  const auto declared = declared_.find(net.tap);
  if (declared == declared_.end()) {
    return Error::config("tap '" + net.tap +
                         "' is not to be had in the sandbox -- name it at the start (mote serve "
                         "--tap " +
                         net.tap + "), or pass descriptors of it");
  }
  return std::move(declared_.extract(declared).mapped());
}

Result<void> ConfiguredVm::put_net(NetConfig net, std::vector<UniqueFd> taps) {
  std::vector<NetConfig> nets = config_.nets;
  const std::string id = net.id;
  // Which numbers does not matter: what counts is that no name is needed.
  for (const UniqueFd& tap : taps) net.fds.push_back(tap.get());
  TRY(mote::put_net(nets, net));
  const NetConfig* const before = find_net(config_.nets, id);
  const bool same_tap = before != nullptr && taps.empty() && before->tap == net.tap &&
                        before->queues == net.queues && before->mtu == net.mtu;
  if (!same_tap) {
    auto tap = open_tap(net, std::move(taps));
    if (!tap) return std::move(tap).error().within("Could not create the network device");
    taps_.insert_or_assign(id, *std::move(tap));
  }
  config_.nets = std::move(nets);
  return {};
}

/// Has it join the others.
Result<void> ConfiguredVm::open_device(const PciAddress& address,
                                       std::vector<UniqueFd> descriptors) {
  if (!descriptors.empty()) {
    const bool has_space = descriptors.size() > 1;
    if (has_space && devices_) {
      return Error::config(
          "there is an address space already -- pass the descriptor of the group, or of the "
          "device, alone");
    }
    if (!has_space && !devices_) {
      return Error::config(
          "there is no address space yet -- pass a descriptor of /dev/vfio/vfio behind the "
          "group's, or of /dev/iommu behind the device's");
    }
    if (!has_space) return devices_->join(address, std::move(descriptors.front()));
    auto space = TRY(vfio::adopt_address_space(std::move(descriptors.back())));
    TRY(space->join(address, std::move(descriptors.front())));
    devices_ = std::move(space);
    return {};
  }
  if (sandboxed_) {
    const std::string name = print_pci_address(address);
    return Error::config("device " + name +
                         " is not to be had in the sandbox -- name it at the start (mote serve "
                         "--vfio " +
                         name +
                         "), or pass descriptors of its group and a container, or of it and "
                         "iommufd");
  }
  const vfio::HostFunctions host;
  if (devices_) return vfio::join(host, *devices_, address);
  devices_ = TRY(vfio::open_address_space(host, std::span(&address, 1)));
  return {};
}

Result<void> ConfiguredVm::put_vfio(VfioConfig device, std::vector<UniqueFd> descriptors) {
  std::vector<VfioConfig> devices = config_.vfios;
  TRY(mote::put_vfio(devices, device));
  const PciAddress& address = device.address.value();
  if (!devices_ || !devices_->has(address)) TRY(open_device(address, std::move(descriptors)));
  const VfioConfig* const before = find_vfio(config_.vfios, device.id);
  if (before != nullptr && before->address != address) {
    static_cast<void>(devices_->leave(before->address.value()));
  }
  config_.vfios = std::move(devices);
  return {};
}

bool ConfiguredVm::forget_vfio(const std::string& id) {
  const VfioConfig* const device = find_vfio(config_.vfios, id);
  if (device == nullptr) return false;
  static_cast<void>(devices_->leave(device->address.value()));
  config_.vfios.erase(config_.vfios.begin() + (device - config_.vfios.data()));
  return true;
}

Result<void> ConfiguredVm::put_serial(SerialConfig serial) {
  auto end = ConsoleEnd::open(serial);
  if (!end) return in_reach(std::move(end).error());
  serial_ = *std::move(end);
  config_.serial = std::move(serial);
  return {};
}

Result<VmConfig> ConfiguredVm::checked() const {
  VmConfig config = config_;
  // The rules want to know where a disk is.
  for (BlockConfig& drive : config.blocks) {
    if (drive.path.empty()) drive.path = "(passed as a descriptor)";
  }
  TRY(validate(config));
  return config;
}

Result<HostFiles> ConfiguredVm::share_files() const {
  HostFiles files{.kernel = TRY(kernel_->duplicate())};
  if (initrd_) files.initrd = TRY(initrd_->duplicate());
  for (const BlockConfig& drive : config_.blocks) {
    const auto image = images_.find(drive.id);
    if (image == images_.end()) {
      return Error::config("drive '" + drive.id +
                           "' could not be opened once more -- PUT it again");
    }
    files.images.push_back(TRY(image->second.duplicate()));
  }
  for (const NetConfig& net : config_.nets) {
    files.taps.push_back(TRY(taps_.at(net.id)->duplicate()));
  }
  if (!config_.vfios.empty()) {
    files.devices =
        TRY(PassedDevices::open(config_, TRY(devices_->duplicate(addresses_of(config_.vfios)))));
  }
  files.serial = TRY(serial_ ? serial_->duplicate() : ConsoleEnd::open(config_.serial));
  return files;
}

void ConfiguredVm::close_files() {
  kernel_.reset();
  initrd_.reset();
  images_.clear();
  taps_.clear();
  declared_.clear();
  devices_.reset();
  serial_.reset();
}

}  // namespace mote
