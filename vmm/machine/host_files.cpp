// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/host_files.hpp"

#include <algorithm>

#include "core/check.hpp"

namespace mote {
namespace {

Result<std::unique_ptr<virtio::Tap>> open_tap(const NetConfig& net) {
  if (!net.fds.empty()) return virtio::Tap::adopt(net.fds);
  return virtio::Tap::open(
      {.name = net.tap, .pairs = std::max(net.queues, 1u), .mtu = static_cast<u16>(net.mtu)});
}

}  // namespace

Result<HostFiles> HostFiles::open(const VmConfig& config) {
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
  files.devices = TRY(PassedDevices::open(config));
  return files;
}

Result<HostFiles> HostFiles::duplicate() const {
  CHECK(devices.empty(), "devices of the host are not duplicated");
  HostFiles copy{.kernel = TRY(kernel.duplicate())};
  if (initrd) copy.initrd = TRY(initrd->duplicate());
  for (const virtio::BlockImage& image : images) copy.images.push_back(TRY(image.duplicate()));
  for (const auto& tap : taps) copy.taps.push_back(TRY(tap->duplicate()));
  copy.serial = TRY(serial.duplicate());
  return copy;
}

}  // namespace mote
