// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/container.hpp"

#include <fcntl.h>
#include <linux/vfio.h>

#include <algorithm>
#include <iterator>

#include "core/check.hpp"
#include "core/patience.hpp"
#include "core/text.hpp"
#include "devices/vfio/kernel_calls.hpp"
#include "devices/vfio/refusals.hpp"

namespace mote::vfio {

bool Container::Group::has(const PciAddress& address) const {
  return std::find(members.begin(), members.end(), address) != members.end();
}

Result<std::unique_ptr<AddressSpace>> Container::open() {
  const std::string path = container_path();
  UniqueFd fd = TRY(open_file(path, O_RDWR, "'mote vfio list' says what is missing"));
  if (auto space = adopt(fd)) return space;
  return Error::host(path + " has no IOMMU of type 1 -- sudo modprobe vfio_iommu_type1");
}

std::unique_ptr<AddressSpace> Container::adopt(UniqueFd& fd) {
  if (::ioctl(fd.get(), VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
      ::ioctl(fd.get(), VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1) {
    return nullptr;
  }
  return std::unique_ptr<AddressSpace>(new Container(std::move(fd)));
}

Result<std::unique_ptr<AddressSpace>> Container::duplicate(
    std::span<const PciAddress> members) const {
  std::unique_ptr<Container> copy(new Container(TRY(mote::duplicate(fd_))));
  for (const Group& group : groups_) {
    std::vector<PciAddress> wanted;
    std::copy_if(members.begin(), members.end(), std::back_inserter(wanted),
                 [&](const PciAddress& member) { return group.has(member); });
    if (wanted.empty()) continue;
    copy->groups_.push_back({group.name, TRY(mote::duplicate(group.fd)), std::move(wanted)});
  }
  return std::unique_ptr<AddressSpace>(std::move(copy));
}

bool Container::has(const PciAddress& address) const {
  return std::any_of(groups_.begin(), groups_.end(),
                     [&](const Group& group) { return group.has(address); });
}

Result<void> Container::join(const HostFunction& function) {
  std::string path = group_path(*function.group);
  for (Group& group : groups_) {
    if (group.name != path) continue;
    group.members.push_back(function.address);
    return {};
  }
  Patience patience;
  UniqueFd fd;
  while (!(fd = UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC)))) {
    if (errno == EBUSY && patience.wait()) continue;
    return Error::from_errno(errno, "cannot open " + path,
                             refusal_remedy(Attempt::kOpenGroup, errno));
  }
  return add_group(std::move(path), std::move(fd), function.address);
}

Result<void> Container::join(const PciAddress& address, UniqueFd group) {
  return add_group("the group of " + print_pci_address(address), std::move(group), address);
}

Result<UniqueFd> Container::take(const PciAddress& address) const {
  const std::string name = print_pci_address(address);
  const auto group = std::find_if(groups_.begin(), groups_.end(),
                                  [&](const Group& other) { return other.has(address); });
  CHECK(group != groups_.end(), "a function is taken when its group has joined");
  return UniqueFd(TRY(vfio_ioctl(group->fd, VFIO_GROUP_GET_DEVICE_FD, name.c_str(),
                                 "cannot take " + name + " from its IOMMU group")));
}

UniqueFd Container::leave(const PciAddress& address) {
  for (auto group = groups_.begin(); group != groups_.end(); ++group) {
    if (std::erase(group->members, address) == 0 || !group->members.empty()) continue;
    UniqueFd fd = std::move(group->fd);
    groups_.erase(group);
    return fd;
  }
  return {};
}

std::vector<int> Container::kvm_files() const {
  std::vector<int> files;
  files.reserve(groups_.size());
  for (const Group& group : groups_) files.push_back(group.fd.get());
  return files;
}

Result<void> Container::add_group(std::string name, UniqueFd fd, const PciAddress& member) {
  vfio_group_status status{};
  status.argsz = sizeof(status);
  TRY(vfio_ioctl(fd, VFIO_GROUP_GET_STATUS, &status, "cannot ask for " + name));
  if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0) {
    return Error::host(name +
                       " cannot be passed: a driver of the host has a part of the group -- "
                       "'mote vfio list' says which");
  }
  const int container = fd_.get();
  TRY(vfio_ioctl(fd, VFIO_GROUP_SET_CONTAINER, &container, "cannot use " + name));
  if (groups_.empty() && ::ioctl(fd_.get(), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) {
    return Error::from_errno(errno, "cannot use the IOMMU for " + name,
                             refusal_remedy(Attempt::kUseIommu, errno));
  }
  groups_.push_back({std::move(name), std::move(fd), {member}});
  return {};
}

Result<std::vector<IovaRange>> Container::ranges() const {
  const vfio_iommu_type1_info question{};
  return parse_iova_ranges(
      TRY(ask(fd_, VFIO_IOMMU_GET_INFO, question, "cannot ask for the IOMMU's addresses")));
}

int Container::map(Gpa address, std::span<std::byte> memory) {
  vfio_iommu_type1_dma_map request{};
  request.argsz = sizeof(request);
  request.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
  request.vaddr = reinterpret_cast<u64>(memory.data());
  request.iova = address.raw();
  request.size = memory.size();
  return ::ioctl(fd_.get(), VFIO_IOMMU_MAP_DMA, &request) == 0 ? 0 : errno;
}

void Container::unmap(const GpaRange& range) {
  vfio_iommu_type1_dma_unmap request{};
  request.argsz = sizeof(request);
  request.iova = range.start.raw();
  request.size = range.size;
  ::ioctl(fd_.get(), VFIO_IOMMU_UNMAP_DMA, &request);
}

}  // namespace mote::vfio
