// SPDX-License-Identifier: Apache-2.0
// Parser of Linux's bzImage for its 64-bit entry point. Pure; hostile input.
#pragma once

#include <asm/bootparam.h>

#include <span>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Bytes at the beginning of the file that hold the whole setup header.
inline constexpr u64 kBzImageHead = 0x1f1 + sizeof(setup_header);

/// A bzImage that can be entered at `load_address + kBzImageEntry64`.
struct BzImage {
  setup_header header{};         ///< the file's own, zero behind its declared end
  u64 protected_offset = 0;      ///< of the protected-mode part in the file
  u64 protected_size = 0;        ///< bytes of it, at most init_size
  Gpa load_address;              ///< pref_address
  u64 memory_size = 0;           ///< init_size: what the kernel writes to before it reads the map
  u64 initrd_end = 0;            ///< initrd_addr_max + 1
  std::size_t cmdline_size = 0;  ///< bytes the kernel takes, without the terminating zero
};

/// The 64-bit entry point within the protected-mode part [boot.rst 64-bit].
inline constexpr u64 kBzImageEntry64 = 0x200;

/// True when `head`, the first bytes of a file, carry the boot flag and "HdrS".
bool is_bzimage(std::span<const std::byte> head);

/// Reads the setup header [boot.rst, The Real-Mode Kernel Header]. Accepted: version 2.12 and
/// later, loaded high, with a 64-bit entry point.
Result<BzImage> parse_bzimage(std::span<const std::byte> head, u64 file_size);

}  // namespace mote
