// SPDX-License-Identifier: Apache-2.0
// The part of the kernel's iommufd that is used here, and of VFIO what goes with it: numbers and
// structures as in Linux 6.6's <linux/iommufd.h> and <linux/vfio.h> (Documentation/userspace-api/
// iommufd.rst, Documentation/driver-api/vfio.rst "IOMMUFD and vfio_iommu_type1"), which headers of
// an older distribution do not have.
#pragma once

#include <sys/ioctl.h>

#include "core/types.hpp"

namespace mote::vfio::abi {

inline constexpr unsigned long kIoasAlloc = _IO(';', 0x81);
struct IoasAlloc {
  u32 size;
  u32 flags;
  u32 id;  ///< out
};

/// The count and the ranges are the kernel's; EMSGSIZE: there are more of them.
inline constexpr unsigned long kIoasIovaRanges = _IO(';', 0x84);
struct IoasIovaRanges {
  u32 size;
  u32 id;
  u32 count;  ///< in: room; out: ranges
  u32 reserved;
  u64 ranges;     ///< address of {first, last}, both 64 bits
  u64 alignment;  ///< out
};
static_assert(sizeof(IoasIovaRanges) == 32);

inline constexpr unsigned long kIoasMap = _IO(';', 0x85);
inline constexpr u32 kFixedIova = 1u << 0;
inline constexpr u32 kWritable = 1u << 1;
inline constexpr u32 kReadable = 1u << 2;
struct IoasMap {
  u32 size;
  u32 flags;
  u32 id;
  u32 reserved;
  u64 address;
  u64 length;
  u64 iova;
};
static_assert(sizeof(IoasMap) == 40);

inline constexpr unsigned long kIoasUnmap = _IO(';', 0x86);
struct IoasUnmap {
  u32 size;
  u32 id;
  u64 iova;
  u64 length;
};
static_assert(sizeof(IoasUnmap) == 24);

inline constexpr unsigned long kBindIommufd = _IO(';', 100 + 18);
struct BindIommufd {
  u32 size;
  u32 flags;
  i32 iommufd;
  u32 id;  ///< out
};

inline constexpr unsigned long kAttachIommufd = _IO(';', 100 + 19);
struct AttachIommufd {
  u32 size;
  u32 flags;
  u32 id;  ///< in: the address space
};

}  // namespace mote::vfio::abi
