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

  Way way() const override { return Way::kContainer; }
  Result<void> join(const HostFunction& function) override;
  Result<UniqueFd> take(const PciAddress& address) const override;
  std::vector<int> kvm_files() const override;
  Result<std::vector<IovaRange>> ranges() const override;
  int map(Gpa address, std::span<std::byte> memory) const override;

 private:
  struct Group {
    u32 number;
    UniqueFd fd;
    std::vector<PciAddress> members;  // those that have joined
  };
  explicit Container(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> add_group(u32 number, const PciAddress& member);

  UniqueFd fd_;
  std::vector<Group> groups_;
};

}  // namespace mote::vfio
