// SPDX-License-Identifier: Apache-2.0
// What a VM needs of the host's file systems and networks, opened: behind it nothing has a path.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/result.hpp"
#include "devices/virtio/block/image.hpp"
#include "devices/virtio/net/tap.hpp"
#include "vmm/boot/image_source.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/machine/console_end.hpp"
#include "vmm/machine/passed_devices.hpp"

namespace mote {

/// Opens the tap that `net` names, or takes over its descriptors.
Result<std::unique_ptr<virtio::Tap>> open_tap(const NetConfig& net);

/// Everything that a configuration names.
struct HostFiles {
  /// Opens it. Only what cannot be a disk, a tap or a kernel image by its kind is refused here: no
  /// byte of an image counts yet.
  static Result<HostFiles> open(const VmConfig& config);
  /// The same without devices of the host.
  static Result<HostFiles> open_but_devices(const VmConfig& config);

  ImageFile kernel;
  std::optional<ImageFile> initrd;
  std::vector<virtio::BlockImage> images;          ///< as `VmConfig::blocks`
  std::vector<std::unique_ptr<virtio::Tap>> taps;  ///< as `VmConfig::nets`
  ConsoleEnd serial;
  PassedDevices devices;
};

}  // namespace mote
