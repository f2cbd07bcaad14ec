// SPDX-License-Identifier: Apache-2.0
// An address space by iommufd, into which single devices go
// (Documentation/userspace-api/iommufd.rst).
#pragma once

#include "devices/vfio/address_space.hpp"

namespace mote::vfio {

/// A device leaves it when its file is closed.
class Iommufd final : public AddressSpace {
 public:
  /// Opens /dev/iommu.
  static Result<std::unique_ptr<AddressSpace>> open();

  Way way() const override { return Way::kIommufd; }
  Result<Member> add(const HostFunction& function) override;
  Result<std::vector<IovaRange>> ranges() const override;
  int map(Gpa address, std::span<std::byte> memory) const override;

 private:
  Iommufd(UniqueFd fd, u32 id) : fd_(std::move(fd)), id_(id) {}

  UniqueFd fd_;
  u32 id_;  // the kernel's, of the address space
};

}  // namespace mote::vfio
