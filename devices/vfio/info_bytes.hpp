// SPDX-License-Identifier: Apache-2.0
// Reading what VFIO answers: a structure, and behind it capabilities, each of which says where the
// next one is [linux/vfio.h]. Pure.
#pragma once

#include <linux/vfio.h>

#include <cstddef>
#include <cstring>
#include <span>

#include "core/types.hpp"

namespace mote::vfio {

/// Copies a T from `offset` of `bytes`; false when it does not lie inside.
template <class T>
bool load(std::span<const std::byte> bytes, u64 offset, T& out) {
  if (offset > bytes.size() || sizeof(T) > bytes.size() - offset) return false;
  std::memcpy(&out, bytes.data() + offset, sizeof(T));
  return true;
}

/// What all capabilities that hold a list begin with; the list follows. The kernel's own structures
/// end in an array of no size, which C++ does not know.
struct ListHead {
  vfio_info_cap_header header;
  u32 count;
  u32 reserved;
};
static_assert(sizeof(ListHead) == 16);

}  // namespace mote::vfio
