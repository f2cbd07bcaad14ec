// SPDX-License-Identifier: Apache-2.0
// An address space by iommufd, into which single devices go
// (Documentation/userspace-api/iommufd.rst).
#pragma once

#include "devices/vfio/address_space.hpp"

namespace mote::vfio {

/// A device is in it while its file is open, here and by who took it.
class Iommufd final : public AddressSpace {
 public:
  /// Opens /dev/iommu.
  static Result<std::unique_ptr<AddressSpace>> open();

  Way way() const override { return Way::kIommufd; }
  Result<void> join(const HostFunction& function) override;
  Result<UniqueFd> take(const PciAddress& address) const override;
  std::vector<int> kvm_files() const override;
  Result<std::vector<IovaRange>> ranges() const override;
  int map(Gpa address, std::span<std::byte> memory) const override;

 private:
  struct Member {
    PciAddress address;
    UniqueFd fd;
  };
  Iommufd(UniqueFd fd, u32 id) : fd_(std::move(fd)), id_(id) {}

  UniqueFd fd_;
  u32 id_;  // the kernel's, of the address space
  std::vector<Member> members_;
};

}  // namespace mote::vfio
