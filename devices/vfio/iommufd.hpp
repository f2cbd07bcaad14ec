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
  /// Makes one in an open /dev/iommu.
  static Result<std::unique_ptr<AddressSpace>> adopt(UniqueFd fd);
  ~Iommufd() override { unmap_all(); }

  Way way() const override { return Way::kIommufd; }
  Result<std::unique_ptr<AddressSpace>> duplicate(
      std::span<const PciAddress> members) const override;
  Result<void> join(const HostFunction& function) override;
  Result<void> join(const PciAddress& address, UniqueFd device) override;
  bool has(const PciAddress& address) const override;
  Result<UniqueFd> take(const PciAddress& address) const override;
  UniqueFd leave(const PciAddress& address) override;
  std::vector<int> kvm_files() const override;
  Result<std::vector<IovaRange>> ranges() const override;

 private:
  struct Member {
    PciAddress address;
    UniqueFd fd;
  };
  Iommufd(UniqueFd fd, u32 id) : fd_(std::move(fd)), id_(id) {}
  const Member* find(const PciAddress& address) const;
  int map(Gpa address, std::span<std::byte> memory) override;
  void unmap(const GpaRange& range) override;

  UniqueFd fd_;
  u32 id_;  // the kernel's, of the address space
  std::vector<Member> members_;
};

}  // namespace mote::vfio
