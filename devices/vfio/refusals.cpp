// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/refusals.hpp"

#include <cerrno>

namespace mote::vfio {
namespace {

constexpr char kList[] = "'mote vfio list' says what is missing";
constexpr char kInUse[] =
    "another process has it, or another of its IOMMU group: end that VM first";

std::string map_remedy(int errno_value) {
  switch (errno_value) {
    case ENOMEM:
      return "raise the limit of locked memory: ulimit -l unlimited";
    case ENOSPC:
      return "raise vfio_iommu_type1.dma_entry_limit, or use huge pages";
    default:
      return {};
  }
}

}  // namespace

bool means_in_use(int errno_value) {
  // A device that is open already, by one way, is EINVAL, a group that is another's EBUSY.
  return errno_value == EBUSY || errno_value == EINVAL;
}

std::string refusal_remedy(Attempt attempt, int errno_value) {
  switch (attempt) {
    case Attempt::kOpenGroup:
      return errno_value == EBUSY ? kInUse : kList;
    case Attempt::kUseIommu:
      return errno_value == EPERM ? remap_remedy(Way::kContainer) : std::string();
    case Attempt::kBind:
      if (means_in_use(errno_value)) return kInUse;
      return errno_value == EPERM ? remap_remedy(Way::kIommufd) : std::string();
    case Attempt::kMap:
      return map_remedy(errno_value);
  }
  return {};
}

std::string remap_remedy(Way way) {
  const std::string module = way == Way::kIommufd ? "iommufd" : "vfio_iommu_type1";
  return "switch the remapping of interrupts on (firmware; kernel without intremap=off); if you "
         "trust the guest: echo Y | sudo tee /sys/module/" +
         module + "/parameters/allow_unsafe_interrupts";
}

}  // namespace mote::vfio
