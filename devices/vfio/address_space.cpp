// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/address_space.hpp"

#include "core/text.hpp"
#include "devices/vfio/refusals.hpp"

namespace mote::vfio {
namespace {

Result<void> check_reach(const AddressSpace& space, const GuestMemory& memory) {
  const auto ranges = TRY(space.ranges());
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

}  // namespace

Result<void> AddressSpace::map_all(const GuestMemory& memory) {
  TRY(check_reach(*this, memory));
  for (const GuestMemory::Region& region : memory.regions()) {
    const int error = map(region.range.start, region.mapping.bytes());
    if (error != 0) {
      return Error::from_errno(error,
                               format("cannot lock %llu KiB of the guest's RAM for its devices",
                                      static_cast<unsigned long long>(region.range.size / kKiB)),
                               refusal_remedy(Attempt::kMap, error));
    }
    mapped_.push_back(region.range);
  }
  return {};
}

void AddressSpace::unmap_all() {
  for (const GpaRange& range : mapped_) unmap(range);
  mapped_.clear();
}

}  // namespace mote::vfio
