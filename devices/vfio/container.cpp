// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/container.hpp"

#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/text.hpp"
#include "devices/vfio/iova_ranges.hpp"
#include "devices/vfio/obstacles.hpp"
#include "devices/vfio/region_info.hpp"

namespace mote::vfio {
namespace {

constexpr char kContainer[] = "/dev/vfio/vfio";

/// ioctl, whose failure is `what`.
template <class Argument>
Result<int> vfio_ioctl(const UniqueFd& fd, unsigned long request, Argument argument,
                       const std::string& what, std::string_view remedy = {}) {
  const int result = ::ioctl(fd.get(), request, argument);
  if (result >= 0) return result;
  return Error::from_errno(errno, what, remedy);
}

/// An answer of the kernel that may be longer than its structure T: asked for again at the size
/// that the kernel says.
template <class T>
Result<std::vector<std::byte>> ask(const UniqueFd& fd, unsigned long request, T question,
                                   const std::string& what) {
  std::vector<std::byte> answer(sizeof(T));
  for (;;) {
    question.argsz = static_cast<u32>(answer.size());
    std::memcpy(answer.data(), &question, sizeof(T));
    TRY(vfio_ioctl(fd, request, answer.data(), what));
    T head;
    std::memcpy(&head, answer.data(), sizeof(T));
    if (head.argsz <= answer.size()) return answer;
    answer.assign(head.argsz, {});
  }
}

class KernelDevice final : public Device {
 public:
  static Result<std::unique_ptr<Device>> create(UniqueFd fd, std::string name) {
    std::unique_ptr<KernelDevice> device(new KernelDevice(std::move(fd), std::move(name)));
    vfio_device_info info{};
    info.argsz = sizeof(info);
    TRY(vfio_ioctl(device->fd_, VFIO_DEVICE_GET_INFO, &info, device->what("ask for")));
    if ((info.flags & VFIO_DEVICE_FLAGS_PCI) == 0 || info.num_regions <= kConfigRegion) {
      return Error::host(device->name_ + " is no PCI function to VFIO");
    }
    // Regions 0 to 5 are the BARs, 6 is the ROM, 7 is the configuration space.
    for (u32 index = 0; index <= kConfigRegion; ++index) {
      device->regions_.push_back(TRY(device->ask_region(index)));
    }
    if ((info.flags & VFIO_DEVICE_FLAGS_RESET) != 0) {
      TRY(vfio_ioctl(device->fd_, VFIO_DEVICE_RESET, 0, device->what("reset")));
    }
    return std::unique_ptr<Device>(std::move(device));
  }

  std::string_view name() const override { return name_; }
  Region region(u32 index) const override { return regions_.at(index).region; }

  bool read(u32 region, u64 offset, std::span<std::byte> data) const override {
    return ::pread(fd_.get(), data.data(), data.size(), position(region, offset)) ==
           static_cast<ssize_t>(data.size());
  }
  bool write(u32 region, u64 offset, std::span<const std::byte> data) const override {
    return ::pwrite(fd_.get(), data.data(), data.size(), position(region, offset)) ==
           static_cast<ssize_t>(data.size());
  }
  Result<Mapping> map(u32 region, const Area& area) const override {
    return Mapping::create(area.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(),
                           position(region, area.offset), "memory of " + name_);
  }

  Result<void> set_triggers(std::span<const int> fds) const override {
    std::vector<std::byte> request(sizeof(vfio_irq_set) + fds.size_bytes());
    vfio_irq_set head{};
    head.argsz = static_cast<u32>(request.size());
    head.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
    head.index = VFIO_PCI_MSIX_IRQ_INDEX;
    head.count = static_cast<u32>(fds.size());
    std::memcpy(request.data(), &head, sizeof(head));
    std::memcpy(request.data() + sizeof(head), fds.data(), fds.size_bytes());
    TRY(vfio_ioctl(fd_, VFIO_DEVICE_SET_IRQS, request.data(),
                   what("switch on") + format(" (%zu interrupts)", fds.size())));
    return {};
  }

 private:
  KernelDevice(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  std::string what(const char* verb) const { return "cannot " + std::string(verb) + " " + name_; }
  off_t position(u32 region, u64 offset) const {
    return static_cast<off_t>(regions_.at(region).file_offset + offset);
  }
  Result<RegionInfo> ask_region(u32 index) const {
    vfio_region_info question{};
    question.index = index;
    const std::string attempt = what("ask for regions of");
    const auto answer = TRY(ask(fd_, VFIO_DEVICE_GET_REGION_INFO, question, attempt));
    auto info = parse_region_info(answer);
    if (!info) return Error::host(attempt + ": the kernel's answer makes no sense");
    return *std::move(info);
  }

  UniqueFd fd_;
  std::string name_;
  std::vector<RegionInfo> regions_;
};

/// What is in the way of `function`, in words, as an Error; nothing when nothing is. Of interrupts
/// and of memory that may be locked the kernel knows better than we do, and says so later.
Result<void> check_obstacles(const HostFunctions& host, const HostFunction& function) {
  const auto all = TRY(host.list());
  HostFacts facts = host.facts();
  facts.remaps_interrupts = true;
  facts.lock_limit.reset();
  const auto found = obstacles(function, all, facts, 0);
  if (found.empty()) return {};
  std::string text = "cannot pass " + print_pci_address(function.address) + ": " + found[0].problem;
  if (!found[0].remedy.empty()) text += " -- " + found[0].remedy;
  if (found.size() > 1) text += format("; %zu more: 'mote vfio list'", found.size() - 1);
  return Error::host(text);
}

}  // namespace

Result<Container> Container::open() {
  UniqueFd fd = TRY(open_file(kContainer, O_RDWR, "'mote vfio list' says what is missing"));
  if (::ioctl(fd.get(), VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
      ::ioctl(fd.get(), VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1) {
    return Error::host(std::string(kContainer) +
                       " has no IOMMU of type 1 -- sudo modprobe vfio_iommu_type1");
  }
  return Container(std::move(fd));
}

Result<std::unique_ptr<Device>> Container::add(const HostFunctions& host,
                                               const PciAddress& address) {
  const std::string name = print_pci_address(address);
  const HostFunction function = TRY(host.look_at(address));
  TRY(check_obstacles(host, function));
  const Group& group = *TRY(join_group(*function.group));
  UniqueFd fd(TRY(vfio_ioctl(group.fd, VFIO_GROUP_GET_DEVICE_FD, name.c_str(),
                             "cannot take " + name + " from its IOMMU group")));
  return KernelDevice::create(std::move(fd), name);
}

Result<const Container::Group*> Container::join_group(u32 number) {
  for (const Group& group : groups_) {
    if (group.number == number) return &group;
  }
  const std::string path = format("/dev/vfio/%u", number);
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) {
    return Error::from_errno(errno, "cannot open " + path,
                             errno == EBUSY ? "another process has the group: end that VM first"
                                            : "'mote vfio list' says what is missing");
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
  if (groups_.empty()) {
    if (::ioctl(fd_.get(), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0) {
      return Error::from_errno(errno, "cannot use the IOMMU for " + path,
                               errno == EPERM ? kRemapRemedy : std::string_view());
    }
  }
  groups_.push_back({number, std::move(fd)});
  return &groups_.back();
}

Result<void> Container::check_reach(const GuestMemory& memory) const {
  const vfio_iommu_type1_info question{};
  const auto answer =
      TRY(ask(fd_, VFIO_IOMMU_GET_INFO, question, "cannot ask for the IOMMU's addresses"));
  const auto ranges = parse_iova_ranges(answer);
  if (ranges.empty()) return {};  // Linux before 5.4 does not say
  for (const GuestMemory::Region& region : memory.regions()) {
    if (const auto gap = first_gap(region.range, ranges)) {
      return Error::host(
          format("the host's IOMMU has no address 0x%llx for the guest's RAM -- "
                 "give the guest less memory",
                 static_cast<unsigned long long>(gap->raw())));
    }
  }
  return {};
}

Result<void> Container::map(const GuestMemory& memory) const {
  TRY(check_reach(memory));
  for (const GuestMemory::Region& region : memory.regions()) {
    vfio_iommu_type1_dma_map request{};
    request.argsz = sizeof(request);
    request.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
    request.vaddr = reinterpret_cast<u64>(region.mapping.data());
    request.iova = region.range.start.raw();
    request.size = region.range.size;
    const std::string what = format("cannot lock %llu KiB of the guest's RAM for its devices",
                                    static_cast<unsigned long long>(region.range.size / kKiB));
    if (::ioctl(fd_.get(), VFIO_IOMMU_MAP_DMA, &request) == 0) continue;
    if (errno == ENOSPC) {
      return Error::from_errno(errno, what,
                               "raise vfio_iommu_type1.dma_entry_limit, or use huge pages");
    }
    return Error::from_errno(errno, what, "raise the limit of locked memory: ulimit -l unlimited");
  }
  return {};
}

std::vector<int> Container::group_fds() const {
  std::vector<int> fds;
  fds.reserve(groups_.size());
  for (const Group& group : groups_) fds.push_back(group.fd.get());
  return fds;
}

}  // namespace mote::vfio
