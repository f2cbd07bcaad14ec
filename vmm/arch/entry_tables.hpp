// SPDX-License-Identifier: Apache-2.0
// What the first instructions of a guest stand on: descriptor table and page tables in guest RAM.
#pragma once

#include "core/guest_memory.hpp"
#include "core/types.hpp"

namespace mote::arch {

/// Selectors of the descriptor table, as the 64-bit Linux protocol wants them [boot.rst 64-bit].
inline constexpr u16 kCodeSelector = 0x10;
inline constexpr u16 kDataSelector = 0x18;
inline constexpr u16 kTaskSelector = 0x20;
inline constexpr u16 kGdtSize = 6 * 8;  // the task descriptor takes two slots in 64-bit mode

/// Writes the descriptor table; `long_mode` makes its code segment a 64-bit one. False when RAM
/// ends below it.
[[nodiscard]] bool write_gdt(const GuestMemory& memory, bool long_mode);
/// Writes page tables that map the first 4 GiB one to one in 2 MiB pages.
[[nodiscard]] bool write_identity_map(const GuestMemory& memory);

}  // namespace mote::arch
