// SPDX-License-Identifier: Apache-2.0
// VmConfig: what a VM is made of, as plain structs that TOML, the command line and the API all
// fill.
#pragma once

#include <optional>
#include <string>

#include "core/types.hpp"

namespace mote {

/// Limits that every source of configuration is checked against (`validate`).
inline constexpr u32 kMaxVcpus = 32;
inline constexpr u64 kMinMemory = 1 * kMiB;
inline constexpr std::size_t kMaxCmdline = 2048;

struct KernelConfig {
  std::string path;     ///< ELF with a PVH note, ELF by the 64-bit Linux boot protocol, or bzImage
  std::string initrd;   ///< empty: none
  std::string cmdline;  ///< at most kMaxCmdline bytes with what Mote adds
  bool operator==(const KernelConfig&) const = default;
};

struct MachineConfig {
  u32 vcpus = 1;
  u64 memory_bytes = 128 * kMiB;  ///< a multiple of 4 KiB (2 MiB with huge pages)
  bool huge_pages = false;        ///< back guest RAM with 2 MiB pages of the host's pool
  bool legacy = true;             ///< CMOS/RTC, PIC pair and PIT
  bool acpi = true;               ///< ACPI tables (the MP table is there in any case)
  bool operator==(const MachineConfig&) const = default;
};

enum class SerialMode { kStdio, kFile, kPty, kNone };

struct SerialConfig {
  SerialMode mode = SerialMode::kStdio;
  std::string path;  ///< for kFile
  bool operator==(const SerialConfig&) const = default;
};

struct TimelineConfig {
  bool table = false;     ///< print a table on standard error at the end
  std::string json_path;  ///< empty: none; Chrome trace format
  bool operator==(const TimelineConfig&) const = default;
};

struct VmConfig {
  KernelConfig kernel;
  MachineConfig machine;
  SerialConfig serial;
  TimelineConfig timeline;
  bool operator==(const VmConfig&) const = default;
};

}  // namespace mote
