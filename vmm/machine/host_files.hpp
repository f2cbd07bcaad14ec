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

/// Everything that a configuration names.
struct HostFiles {
  /// Opens it. Only what cannot be a disk, a tap or a kernel image by its kind is refused here: no
  /// byte of an image counts yet.
  static Result<HostFiles> open(const VmConfig& config);
  /// All of it once more, with the locks that it has: for another try where a machine could not be
  /// made of the first. Opens nothing. Not with devices of the host, which cannot be had twice.
  Result<HostFiles> duplicate() const;

  ImageFile kernel;
  std::optional<ImageFile> initrd;
  std::vector<virtio::BlockImage> images;          ///< as `VmConfig::blocks`
  std::vector<std::unique_ptr<virtio::Tap>> taps;  ///< as `VmConfig::nets`
  ConsoleEnd serial;
  PassedDevices devices;
};

}  // namespace mote
