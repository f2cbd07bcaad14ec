// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/container.hpp"

#include <fcntl.h>
#include <linux/vfio.h>

#include <algorithm>

#include "core/check.hpp"
#include "core/text.hpp"
#include "devices/vfio/kernel_calls.hpp"
#include "devices/vfio/refusals.hpp"

namespace mote::vfio {

Result<std::unique_ptr<AddressSpace>> Container::open() {
  const std::string path = container_path();
  UniqueFd fd = TRY(open_file(path, O_RDWR, "'mote vfio list' says what is missing"));
  if (::ioctl(fd.get(), VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
      ::ioctl(fd.get(), VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1) {
    return Error::host(path + " has no IOMMU of type 1 -- sudo modprobe vfio_iommu_type1");
  }
  return std::unique_ptr<AddressSpace>(new Container(std::move(fd)));
}

Result<void> Container::join(const HostFunction& function) {
  for (Group& group : groups_) {
    if (group.number != *function.group) continue;
    group.members.push_back(function.address);
    return {};
  }
  return add_group(*function.group, function.address);
}

Result<UniqueFd> Container::take(const PciAddress& address) const {
  const std::string name = print_pci_address(address);
  const auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& other) {
    return std::find(other.members.begin(), other.members.end(), address) != other.members.end();
  });
  CHECK(group != groups_.end(), "a function is taken when its group has joined");
  return UniqueFd(TRY(vfio_ioctl(group->fd, VFIO_GROUP_GET_DEVICE_FD, name.c_str(),
                                 "cannot take " + name + " from its IOMMU group")));
}

std::vector<int> Container::kvm_files() const {
  std::vector<int> files;
  files.reserve(groups_.size());
  for (const Group& group : groups_) files.push_back(group.fd.get());
  return files;
}

Result<void> Container::add_group(u32 number, const PciAddress& member) {
  const std::string path = group_path(number);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) {
    return Error::from_errno(errno, "cannot open " + path,
                             refusal_remedy(Attempt::kOpenGroup, errno));
  }
  vfio_group_status status{};
  status.argsz = sizeof(status);
  TRY(vfio_ioctl(fd, VFIO_GROUP_GET_STATUS, &status, "cannot ask for " + path));
  if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0) {
    return Error::host(path +
                       " cannot be passed: a driver of the host has a part of the group -- "
                       "'mote vfio list' says which");
  }
  const int container = fd_.get();
  TRY(vfio_ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container, "cannot use " + path));
  if (groups_.empty() && ::ioctl(fd_.get(), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) {
    return Error::from_errno(errno, "cannot use the IOMMU for " + path,
                             refusal_remedy(Attempt::kUseIommu, errno));
  }
  groups_.push_back({number, std::move(fd), {member}});
  return {};
}

Result<std::vector<IovaRange>> Container::ranges() const {
  const vfio_iommu_type1_info question{};
  return parse_iova_ranges(
      TRY(ask(fd_, VFIO_IOMMU_GET_INFO, question, "cannot ask for the IOMMU's addresses")));
}

int Container::map(Gpa address, std::span<std::byte> memory) const {
  vfio_iommu_type1_dma_map request{};
  request.argsz = sizeof(request);
  request.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
  request.vaddr = reinterpret_cast<u64>(memory.data());
  request.iova = address.raw();
  request.size = memory.size();
  return ::ioctl(fd_.get(), VFIO_IOMMU_MAP_DMA, &request) == 0 ? 0 : errno;
}

}  // namespace mote::vfio
