// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/iova_ranges.hpp"

#include "devices/vfio/info_bytes.hpp"

namespace mote::vfio {
std::vector<IovaRange> parse_iova_ranges(std::span<const std::byte> answer) {
  vfio_iommu_type1_info info{};
  if (!load(answer, 0, info) || (info.flags & VFIO_IOMMU_INFO_CAPS) == 0) return {};
  for (u64 offset = info.cap_offset; offset != 0;) {
    vfio_info_cap_header header{};
    if (!load(answer, offset, header)) return {};
    if (header.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) {
      ListHead list{};
      if (!load(answer, offset, list)) return {};
      std::vector<IovaRange> ranges;
      for (u32 i = 0; i < list.count; ++i) {
        vfio_iova_range range{};
        if (!load(answer, offset + sizeof(list) + u64{i} * sizeof(range), range)) return {};
        ranges.push_back({range.start, range.end});
      }
      return ranges;
    }
    if (header.next != 0 && header.next <= offset) return {};
    offset = header.next;
  }
  return {};
}

std::optional<Gpa> first_gap(const GpaRange& range, std::span<const IovaRange> ranges) {
  u64 next = range.start.raw();
  for (const IovaRange& iovas : ranges) {
    if (next >= range.end()) return std::nullopt;
    if (iovas.first > next) return Gpa(next);
    if (iovas.last >= next) next = iovas.last + 1;
    if (next == 0) return std::nullopt;  // up to the last address there is
  }
  return next < range.end() ? std::optional(Gpa(next)) : std::nullopt;
}

}  // namespace mote::vfio
