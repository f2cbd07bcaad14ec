// SPDX-License-Identifier: Apache-2.0
// The registers a vCPU starts with, by boot protocol. Pure.
#pragma once

#include "core/types.hpp"

namespace mote::arch {

/// A segment register with its hidden part, flags as in bits 8-23 of a descriptor's upper half
/// [SDM 3A 3.4.5].
struct Segment {
  u16 selector = 0;
  u64 base = 0;
  u32 limit = 0;
  u8 type = 0;
  bool present = true;
  u8 dpl = 0;
  bool default_big = false;  ///< D/B
  bool code_or_data = true;  ///< S
  bool long_mode = false;    ///< L
  bool granularity = false;  ///< G
};

/// What differs from the state after reset.
struct CpuState {
  Segment code;
  Segment data;  ///< DS, ES, FS, GS and SS
  Segment task;
  Gpa gdt;
  u16 gdt_limit = 0;
  u64 cr0 = 0;
  u64 cr3 = 0;
  u64 cr4 = 0;
  u64 efer = 0;
  u64 rip = 0;
  u64 rbx = 0;
  u64 rsi = 0;
  u64 rsp = 0;
};

/// Flat 32-bit protected mode, paging off, rbx = start_info [Xen PVH boot ABI].
CpuState pvh_entry_state(u64 entry, Gpa start_info);
/// 64-bit mode with the first 4 GiB mapped one to one, rsi = boot_params [boot.rst 64-bit].
CpuState linux64_entry_state(u64 entry, Gpa boot_params);

}  // namespace mote::arch
