// SPDX-License-Identifier: Apache-2.0
// An address space by VFIO's container, into which whole IOMMU groups go
// (Documentation/driver-api/vfio.rst).
#pragma once

#include "devices/vfio/address_space.hpp"

namespace mote::vfio {

/// Its groups stay in it, with or without devices.
class Container final : public AddressSpace {
 public:
  /// Opens /dev/vfio/vfio.
  static Result<std::unique_ptr<AddressSpace>> open();
  /// Takes over an open one, which has no groups yet. Nothing when it is something else.
  static std::unique_ptr<AddressSpace> adopt(UniqueFd& fd);
  ~Container() override { unmap_all(); }

  Way way() const override { return Way::kContainer; }
  Result<std::unique_ptr<AddressSpace>> duplicate(
      std::span<const PciAddress> members) const override;
  Result<void> join(const HostFunction& function) override;
  Result<void> join(const PciAddress& address, UniqueFd group) override;
  bool has(const PciAddress& address) const override;
  Result<UniqueFd> take(const PciAddress& address) const override;
  UniqueFd leave(const PciAddress& address) override;
  std::vector<int> kvm_files() const override;
  Result<std::vector<IovaRange>> ranges() const override;

 private:
  struct Group {
    std::string name;  // its node, or what stands for that
    UniqueFd fd;
    std::vector<PciAddress> members;  // those that have joined
    bool has(const PciAddress& address) const;
  };
  explicit Container(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> add_group(std::string name, UniqueFd fd, const PciAddress& member);
  int map(Gpa address, std::span<std::byte> memory) override;
  void unmap(const GpaRange& range) override;

  UniqueFd fd_;
  std::vector<Group> groups_;
};

}  // namespace mote::vfio
