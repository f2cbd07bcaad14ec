// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/host_files.hpp"

#include <algorithm>

namespace mote {

Result<std::unique_ptr<virtio::Tap>> open_tap(const NetConfig& net) {
  if (!net.fds.empty()) return virtio::Tap::adopt(net.fds);
  return virtio::Tap::open(
      {.name = net.tap, .pairs = std::max(net.queues, 1u), .mtu = static_cast<u16>(net.mtu)});
}

Result<HostFiles> HostFiles::open(const VmConfig& config) {
  HostFiles files = TRY(open_but_devices(config));
  files.devices = TRY(PassedDevices::open(config));
  return files;
}

Result<HostFiles> HostFiles::open_but_devices(const VmConfig& config) {
  HostFiles files{.kernel = TRY(ImageFile::open("kernel", config.kernel.path))};
  if (!config.kernel.initrd.empty()) {
    files.initrd = TRY(ImageFile::open("initrd", config.kernel.initrd));
  }
  for (const BlockConfig& block : config.blocks) {
    files.images.push_back(TRY(
        virtio::BlockImage::open(block.path, block.read_only, block.cache == BlockCache::kDirect)));
  }
  for (const NetConfig& net : config.nets) files.taps.push_back(TRY(open_tap(net)));
  files.serial = TRY(ConsoleEnd::open(config.serial));
  return files;
}

}  // namespace mote
