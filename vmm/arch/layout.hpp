// SPDX-License-Identifier: Apache-2.0
// Every fixed address of the machine, with its reason. The guest's view; nothing here is host
// memory.
#pragma once

#include <algorithm>

#include "core/types.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote::layout {

// RAM ------------------------------------------------------------------------------------------
/// RAM below 4 GiB ends here at the latest: 3-4 GiB is for devices and the interrupt controllers.
inline constexpr Gpa kHoleStart{3 * kGiB};
inline constexpr Gpa kHoleEnd{4 * kGiB};

// What the monitor writes below 64 KiB for the guest's first instructions -------------------------
inline constexpr Gpa kGdt{0x1000};
/// Identity map of the first 4 GiB in 2 MiB pages: PML4, PDPT, four page directories.
inline constexpr Gpa kPml4{0x2000};
inline constexpr Gpa kPdpt{0x3000};
inline constexpr Gpa kPageDirectories{0x4000};
/// hvm_start_info with its memory map and module list (PVH), one page.
inline constexpr Gpa kStartInfo{0x8000};
/// boot_params, the "zero page" (Linux 64-bit protocol), one page.
inline constexpr Gpa kBootParams{0x9000};
inline constexpr Gpa kCmdline{0xa000};
inline constexpr u64 kCmdlineSize = kMaxCmdline + 1;

/// The lowest address at which an image may put a segment.
inline constexpr Gpa kImageStart{0x10000};

// Firmware tables where programs look for them ----------------------------------------------------
/// MP floating pointer and table: last KiB of the 640 KiB of base memory [MP-1.4 4].
inline constexpr Gpa kMpTable{0x9fc00};
inline constexpr u64 kMpTableSize = 0x400;
/// RSDP and the other ACPI tables: in the area that is searched for it [ACPI-6.5 5.2.5.1].
inline constexpr Gpa kAcpi{0xe0000};
inline constexpr u64 kAcpiSize = 0x10000;

/// Where a processor begins after a reset, as real mode sees it: FFFF:0000.
inline constexpr Gpa kResetVector{0xffff0};

/// Below is usable RAM, from here to 1 MiB is reserved in the memory map.
inline constexpr Gpa kLowRamEnd = kMpTable;
inline constexpr Gpa kHighRamStart{0x100000};

// Memory-mapped devices -------------------------------------------------------------------------
inline constexpr Gpa kVirtioMmio{0xd0000000};
inline constexpr u64 kVirtioMmioStride = 0x1000;
/// BARs that need no more than 32 bits of address.
inline constexpr GpaRange kPciBelow4g{Gpa{0xc0000000}, 256 * kMiB};
/// Configuration space of PCI bus 0 as memory: 4 KiB for each of its 256 functions.
inline constexpr Gpa kPciEcam{0xe0000000};
inline constexpr u64 kPciEcamSize = kMiB;
inline constexpr Gpa kIoApic{0xfec00000};
inline constexpr u64 kIoApicSize = 0x1000;
inline constexpr Gpa kLocalApic{0xfee00000};
/// Intel hosts without unrestricted guest mode need three pages and one page of the guest's space.
inline constexpr Gpa kTss{0xfffbd000};
inline constexpr Gpa kIdentityMap{0xfffbc000};

// Ports -------------------------------------------------------------------------------------------
inline constexpr u16 kCom1 = 0x3f8;
inline constexpr u16 kPowerPorts = 0x600;
inline constexpr u16 kUnplugPorts = 0x610;
inline constexpr u16 kBootClock = 0xb00;
inline constexpr u16 kPciConfig = 0xcf8;

// Pins of the I/O APIC (GSIs) ---------------------------------------------------------------------
inline constexpr Pin kPitPin{0};
inline constexpr Pin kKeyboardPin{1};
inline constexpr Pin kCom1Pin{4};
inline constexpr Pin kRtcPin{8};
/// In a PC the coprocessor's.
inline constexpr Pin kUnplugPin{13};

/// All other BARs: a range behind RAM of `memory_bytes` that starts early enough for processors of
/// 39 address bits.
constexpr GpaRange pci_above_4g(u64 memory_bytes) {
  constexpr u64 kSize = 256 * kGiB;
  const u64 ram_end = std::max(memory_bytes, kHoleStart.raw()) + (kHoleEnd - kHoleStart);
  return {Gpa((ram_end + kSize - 1) / kSize * kSize), kSize};
}

static_assert(kPciBelow4g.start >= kHoleStart && kPciBelow4g.end() <= kVirtioMmio.raw());
static_assert(kCmdline.raw() + kCmdlineSize <= kImageStart.raw());
static_assert(kMpTable.raw() + kMpTableSize == 0xa0000);

}  // namespace mote::layout
