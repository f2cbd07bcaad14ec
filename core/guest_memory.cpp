// SPDX-License-Identifier: Apache-2.0
#include "core/guest_memory.hpp"

#include <algorithm>
#include <cerrno>

#include "core/text.hpp"

namespace mote {
namespace {

bool fits(u64 offset, u64 length, u64 size) {
  return offset <= size && length <= size - offset;
}

}  // namespace

bool GuestSlice::read(u64 offset, std::span<std::byte> out) const {
  if (!holds(offset, out.size())) return false;
  if (out.empty()) return true;  // memcpy wants real pointers even for nothing
  std::memcpy(out.data(), base_ + offset, out.size());
  snapshot_barrier();
  return true;
}

bool GuestSlice::write(u64 offset, std::span<const std::byte> bytes) const {
  if (!holds(offset, bytes.size())) return false;
  if (bytes.empty()) return true;
  std::memcpy(base_ + offset, bytes.data(), bytes.size());
  snapshot_barrier();
  return true;
}

bool GuestSlice::clear(u64 offset, u64 size) const {
  if (!holds(offset, size)) return false;
  if (size == 0) return true;
  std::memset(base_ + offset, 0, size);
  snapshot_barrier();
  return true;
}

Result<GuestMemory> GuestMemory::create(std::span<const GpaRange> ranges,
                                        GuestMemoryOptions options) {
  GuestMemory memory;
  memory.regions_.reserve(ranges.size());
  for (const GpaRange& range : ranges) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    // WHY: unreserved huge pages map from an empty pool too, and end in SIGBUS at the first touch.
    flags |= options.huge_pages ? MAP_HUGETLB | (21 << MAP_HUGE_SHIFT) : MAP_NORESERVE;
    auto mapping = Mapping::create(
        range.size, PROT_READ | PROT_WRITE, flags, -1, 0,
        format("%llu MiB of guest RAM%s", static_cast<unsigned long long>(range.size / kMiB),
               options.huge_pages ? " in 2 MiB pages" : ""));
    if (!mapping) {
      if (!options.huge_pages) return std::move(mapping).error();
      return Error::host(std::move(mapping).error().message() +
                         " -- free 2 MiB pages on the host: sysctl vm.nr_hugepages=N, or leave "
                         "huge_pages out");
    }
    memory.regions_.push_back(Region{range, *std::move(mapping)});
  }
  return memory;
}

std::optional<GuestSlice> GuestMemory::slice(Gpa gpa, u64 size) const {
  for (const Region& region : regions_) {
    if (gpa < region.range.start) break;
    const u64 offset = gpa - region.range.start;
    if (!fits(offset, size, region.range.size)) continue;
    return GuestSlice(region.mapping.data() + offset, size);
  }
  return std::nullopt;
}

bool GuestMemory::read(Gpa gpa, std::span<std::byte> out) const {
  const auto view = slice(gpa, out.size());
  return view && view->read(0, out);
}

bool GuestMemory::write(Gpa gpa, std::span<const std::byte> bytes) const {
  const auto view = slice(gpa, bytes.size());
  return view && view->write(0, bytes);
}

std::vector<iovec> GuestMemory::as_iovecs(u64 most) const {
  std::vector<iovec> pieces;
  for (const Region& region : regions_) {
    for (u64 offset = 0; offset < region.range.size; offset += most) {
      pieces.push_back(
          {region.mapping.data() + offset, std::min(most, region.range.size - offset)});
    }
  }
  return pieces;
}

u64 GuestMemory::total_size() const {
  u64 total = 0;
  for (const Region& region : regions_) total += region.range.size;
  return total;
}

}  // namespace mote
