// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/region_info.hpp"

#include "devices/vfio/info_bytes.hpp"

namespace mote::vfio {
namespace {

/// The list of mappable areas at `offset`, behind a capability's header.
bool load_areas(std::span<const std::byte> answer, u64 offset, std::vector<Area>& areas) {
  ListHead list{};
  if (!load(answer, offset, list)) return false;
  areas.clear();
  for (u32 i = 0; i < list.count; ++i) {
    vfio_region_sparse_mmap_area area{};
    if (!load(answer, offset + sizeof(list) + u64{i} * sizeof(area), area)) return false;
    areas.push_back({area.offset, area.size});
  }
  return true;
}

}  // namespace

std::optional<RegionInfo> parse_region_info(std::span<const std::byte> answer) {
  vfio_region_info info{};
  if (!load(answer, 0, info)) return std::nullopt;
  RegionInfo result{.region = {.size = info.size}, .file_offset = info.offset};
  if ((info.flags & VFIO_REGION_INFO_FLAG_MMAP) == 0) return result;
  result.region.mappable = {{0, info.size}};
  if ((info.flags & VFIO_REGION_INFO_FLAG_CAPS) == 0) return result;
  // Each capability says where the next one is, always further on.
  for (u64 offset = info.cap_offset; offset != 0;) {
    vfio_info_cap_header header{};
    if (!load(answer, offset, header)) return std::nullopt;
    if (header.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP &&
        !load_areas(answer, offset, result.region.mappable)) {
      return std::nullopt;
    }
    if (header.next != 0 && header.next <= offset) return std::nullopt;
    offset = header.next;
  }
  return result;
}

}  // namespace mote::vfio
