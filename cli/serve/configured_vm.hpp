// SPDX-License-Identifier: Apache-2.0
// What clients have configured so far, and opened for it: a request that names a file or a tap is
// refused there and then, or the file is kept until the guest is started.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "vmm/config/resources.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/machine/host_files.hpp"

namespace mote {

/// Taps by their names.
using TapsByName = std::map<std::string, std::unique_ptr<virtio::Tap>>;

/// Each change is made as a whole, or not at all.
class ConfiguredVm {
 public:
  /// `sandboxed`: files are found as the sandbox shows them, and of taps and devices of the host
  /// those alone that were opened before the lock-in, `taps` and what has joined `devices`.
  ConfiguredVm(bool sandboxed, TapsByName taps, std::unique_ptr<vfio::AddressSpace> devices)
      : sandboxed_(sandboxed), declared_(std::move(taps)), devices_(std::move(devices)) {}

  const VmConfig& config() const { return config_; }
  VmConfig& config() { return config_; }

  /// Takes over all of `config`, whose files have been opened; its devices are among those of the
  /// constructor.
  void take(VmConfig config, HostFiles files);
  Result<void> put_boot_source(KernelConfig kernel);
  /// `file` is open when the client has passed it.
  Result<void> put_drive(const BlockConfig& drive, UniqueFd file);
  /// `taps` are those that the client has passed, or none.
  Result<void> put_net(NetConfig net, std::vector<UniqueFd> taps);
  /// `descriptors`: see api::Controller.
  Result<void> put_vfio(VfioConfig device, std::vector<UniqueFd> descriptors);
  /// Lets go of it. False: there is none.
  bool forget_vfio(const std::string& id);
  Result<void> put_serial(SerialConfig serial);

  /// The configuration, checked as a whole.
  Result<VmConfig> checked() const;
  /// What was opened, for an attempt to start. Precondition: there is a kernel.
  Result<HostFiles> share_files() const;
  /// Closes what was opened: the machine has its own.
  void close_files();

  /// The image of `drive`: `file`, or what its path names.
  Result<virtio::BlockImage> open_image(const BlockConfig& drive, UniqueFd file) const;
  /// `error` of a path, with what clients of a sandboxed VM should know.
  Error in_reach(Error error) const;

 private:
  Result<void> open_device(const PciAddress& address, std::vector<UniqueFd> descriptors);
  Result<std::unique_ptr<virtio::Tap>> open_tap(const NetConfig& net, std::vector<UniqueFd> taps);

  const bool sandboxed_;
  TapsByName declared_;
  VmConfig config_;
  std::optional<ImageFile> kernel_;
  std::optional<ImageFile> initrd_;
  std::map<std::string, virtio::BlockImage> images_;  // by the drive's id
  TapsByName taps_;                                   // by the interface's id
  std::unique_ptr<vfio::AddressSpace> devices_;       // also some that nobody has named yet
  std::optional<ConsoleEnd> serial_;
};

}  // namespace mote
