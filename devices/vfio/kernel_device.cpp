// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/kernel_device.hpp"

#include <linux/vfio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "core/text.hpp"
#include "devices/vfio/kernel_calls.hpp"
#include "devices/vfio/region_info.hpp"

namespace mote::vfio {
namespace {

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

  Result<u32> set_triggers(InterruptKind kind, std::span<const int> fds) const override {
    std::vector<std::byte> request(sizeof(vfio_irq_set) + fds.size_bytes());
    vfio_irq_set head{};
    head.argsz = static_cast<u32>(request.size());
    head.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
    head.index = kind == InterruptKind::kMsix ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX;
    head.count = static_cast<u32>(fds.size());
    std::memcpy(request.data(), &head, sizeof(head));
    std::memcpy(request.data() + sizeof(head), fds.data(), fds.size_bytes());
    const int fewer = TRY(vfio_ioctl(fd_, VFIO_DEVICE_SET_IRQS, request.data(),
                                     what("switch on") + format(" (%zu interrupts)", fds.size())));
    return static_cast<u32>(fewer == 0 ? fds.size() : static_cast<std::size_t>(fewer));
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

}  // namespace

Result<std::unique_ptr<Device>> open_kernel_device(UniqueFd fd, std::string name) {
  return KernelDevice::create(std::move(fd), std::move(name));
}

}  // namespace mote::vfio
