// SPDX-License-Identifier: Apache-2.0
// The host's PCI functions as sysfs shows them, and the few writes that hand one to vfio-pci or
// back.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/pci_address.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::vfio {

/// The kernel's two interfaces to a function that vfio-pci has.
enum class Way : u8 {
  kContainer,  ///< /dev/vfio/vfio and the node of the IOMMU group
  kIommufd,    ///< /dev/iommu and the function's own node (Linux 6.6, where it is configured)
};

/// How far this process gets with a node of /dev.
enum class NodeAccess : u8 { kNone, kDenied, kOpens };

/// The nodes of both ways.
std::string container_path();
std::string group_path(u32 group);
std::string iommufd_path();
std::string device_path(const std::string& device_file);

/// One function of the host.
struct HostFunction {
  PciAddress address;
  u16 vendor = 0;
  u16 device = 0;
  u32 class_code = 0;        ///< class, subclass, interface: 0x020000 is an Ethernet controller
  std::string driver;        ///< empty: none
  std::optional<u32> group;  ///< of its IOMMU; none without one
  NodeAccess group_node = NodeAccess::kNone;  ///< the group's node, if there is a group
  std::string device_file;  ///< its own in /dev/vfio/devices; empty: vfio-pci does not have it
  NodeAccess device_node = NodeAccess::kNone;  ///< which the kernel may be without
  std::optional<PciAddress> physical;          ///< whose virtual function it is
  std::optional<u32> virtual_limit;  ///< how many virtual ones it can have; none: no SR-IOV
  std::vector<PciAddress> virtuals;  ///< those that it has
  bool operator==(const HostFunction&) const = default;
};

/// What counts beside the functions themselves.
struct HostFacts {
  bool has_driver = false;                      ///< vfio-pci is there
  bool has_container = false;                   ///< /dev/vfio/vfio is there
  NodeAccess iommufd_node = NodeAccess::kNone;  ///< /dev/iommu
  bool remaps_interrupts = false;
  std::array<bool, 2> unsafe_interrupts{};  ///< by Way: told to do without remapping
  /// Bytes that this process may lock in memory; none: as many as it likes.
  std::optional<u64> lock_limit;
  bool operator==(const HostFacts&) const = default;
};

/// Whether `driver` is one that gives functions to user space: vfio-pci and its kin for certain
/// devices.
bool is_vfio_driver(const std::string& driver);

/// /sys, /dev and /proc of a host. Changes take root, and are made only by the three calls that say
/// so. One thread.
class HostFunctions {
 public:
  /// `root` stands before every path; for tests.
  explicit HostFunctions(std::string root = {}) : root_(std::move(root)) {}
  virtual ~HostFunctions() = default;

  HostFacts facts() const;
  /// All functions, by address. An Error: the host has no PCI.
  Result<std::vector<HostFunction>> list() const;
  /// An Error: there is no function at `address`.
  Result<HostFunction> look_at(const PciAddress& address) const;

  /// Has the driver of `physical` make `count` virtual functions, or take all away (0). Where there
  /// are any, their number cannot be changed to another one but 0.
  Result<void> set_virtuals(const PciAddress& physical, u32 count) const;
  /// Takes `address` from its driver and gives it to vfio-pci; also after its next probe, until
  /// `release`. What fails is undone.
  Result<void> bind(const PciAddress& address) const;
  /// Takes `address` from vfio-pci and has the host's drivers look at it.
  Result<void> release(const PciAddress& address) const;

 protected:
  /// Writes to a file that is there. Tests play the kernel behind it.
  virtual Result<void> write(const std::string& path, const std::string& text) const {
    return write_file(path, text);
  }

 private:
  static Result<void> write_file(const std::string& path, const std::string& text);
  std::string folder(const PciAddress& address) const;
  Result<void> probe(const PciAddress& address) const;

  std::string root_;
};

}  // namespace mote::vfio
