// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/iommufd.hpp"

#include <fcntl.h>

#include <algorithm>

#include "core/check.hpp"
#include "core/patience.hpp"
#include "devices/vfio/iommufd_abi.hpp"
#include "devices/vfio/kernel_calls.hpp"
#include "devices/vfio/refusals.hpp"

namespace mote::vfio {

Result<std::unique_ptr<AddressSpace>> Iommufd::open() {
  return adopt(TRY(open_file(iommufd_path(), O_RDWR, "'mote vfio list' says what is missing")));
}

Result<std::unique_ptr<AddressSpace>> Iommufd::adopt(UniqueFd fd) {
  abi::IoasAlloc request{};
  request.size = sizeof(request);
  TRY(vfio_ioctl(fd, abi::kIoasAlloc, &request,
                 "cannot have an address space of " + iommufd_path()));
  return std::unique_ptr<AddressSpace>(new Iommufd(std::move(fd), request.id));
}

Result<std::unique_ptr<AddressSpace>> Iommufd::duplicate(
    std::span<const PciAddress> members) const {
  std::unique_ptr<Iommufd> copy(new Iommufd(TRY(mote::duplicate(fd_)), id_));
  for (const PciAddress& address : members) {
    copy->members_.push_back({address, TRY(take(address))});
  }
  return std::unique_ptr<AddressSpace>(std::move(copy));
}

Result<void> Iommufd::join(const HostFunction& function) {
  return join(function.address, TRY(open_file(device_path(function.device_file), O_RDWR,
                                              "'mote vfio list' says what is missing")));
}

Result<void> Iommufd::join(const PciAddress& address, UniqueFd device) {
  abi::BindIommufd bind{};
  bind.size = sizeof(bind);
  bind.iommufd = fd_.get();
  const std::string name = print_pci_address(address);
  Patience patience;
  while (::ioctl(device.get(), abi::kBindIommufd, &bind) != 0) {
    if (means_in_use(errno) && patience.wait()) continue;
    return Error::from_errno(errno, "cannot bind " + name + " to iommufd",
                             refusal_remedy(Attempt::kBind, errno));
  }
  abi::AttachIommufd attach{};
  attach.size = sizeof(attach);
  attach.id = id_;
  TRY(vfio_ioctl(device, abi::kAttachIommufd, &attach, "cannot have the IOMMU confine " + name));
  members_.push_back({address, std::move(device)});
  return {};
}

const Iommufd::Member* Iommufd::find(const PciAddress& address) const {
  const auto member = std::find_if(members_.begin(), members_.end(),
                                   [&](const Member& other) { return other.address == address; });
  return member != members_.end() ? &*member : nullptr;
}

bool Iommufd::has(const PciAddress& address) const {
  return find(address) != nullptr;
}

Result<UniqueFd> Iommufd::take(const PciAddress& address) const {
  const Member* const member = find(address);
  CHECK(member != nullptr, "a function is taken when it has joined");
  return mote::duplicate(member->fd);
}

UniqueFd Iommufd::leave(const PciAddress& address) {
  for (auto member = members_.begin(); member != members_.end(); ++member) {
    if (member->address != address) continue;
    UniqueFd fd = std::move(member->fd);
    members_.erase(member);
    return fd;
  }
  return {};
}

std::vector<int> Iommufd::kvm_files() const {
  std::vector<int> files;
  files.reserve(members_.size());
  for (const Member& member : members_) files.push_back(member.fd.get());
  return files;
}

Result<std::vector<IovaRange>> Iommufd::ranges() const {
  static_assert(sizeof(IovaRange) == 16, "as the kernel writes them");
  std::vector<IovaRange> ranges;
  for (;;) {
    abi::IoasIovaRanges request{};
    request.size = sizeof(request);
    request.id = id_;
    request.count = static_cast<u32>(ranges.size());
    request.ranges = reinterpret_cast<u64>(ranges.data());
    const bool fits = ::ioctl(fd_.get(), abi::kIoasIovaRanges, &request) == 0;
    if (!fits && errno != EMSGSIZE) {
      return Error::from_errno(errno, "cannot ask for the IOMMU's addresses");
    }
    ranges.resize(request.count);
    if (fits) return ranges;
  }
}

int Iommufd::map(Gpa address, std::span<std::byte> memory) {
  abi::IoasMap request{};
  request.size = sizeof(request);
  request.flags = abi::kFixedIova | abi::kWritable | abi::kReadable;
  request.id = id_;
  request.address = reinterpret_cast<u64>(memory.data());
  request.length = memory.size();
  request.iova = address.raw();
  return ::ioctl(fd_.get(), abi::kIoasMap, &request) == 0 ? 0 : errno;
}

void Iommufd::unmap(const GpaRange& range) {
  abi::IoasUnmap request{};
  request.size = sizeof(request);
  request.id = id_;
  request.iova = range.start.raw();
  request.length = range.size;
  ::ioctl(fd_.get(), abi::kIoasUnmap, &request);
}

}  // namespace mote::vfio
