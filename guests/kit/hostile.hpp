// SPDX-License-Identifier: Apache-2.0
// What a disk did with something that no driver should do, and whether it can still be used
// afterwards. For guests that break rules. First vCPU, ring 3.
#pragma once

#include <string_view>

#include "guests/kit/block.hpp"
#include "guests/kit/types.hpp"
#include "guests/kit/witness.hpp"

namespace kit::hostile {

// What was seen; sets of them are what a rule allows.
inline constexpr u32 kReset = 1;    // DEVICE_NEEDS_RESET
inline constexpr u32 kError = 2;    // a used chain, and its status byte is not OK or not written
inline constexpr u32 kOkay = 4;     // a used chain, status OK
inline constexpr u32 kSilence = 8;  // neither in the time that it was given

/// One disk, brought back to life after each case.
class Victim {
 public:
  /// Starts the disk and writes what later reads compare with. False when that fails.
  bool prepare(block::Disk& disk);

  /// Waits for what becomes of the next chain of queue 0, whose status byte is `status`.
  u32 watch(const u8* status, u64 patience_us = 500'000);

  /// Reports the case: PASS when what was seen is among `allowed`, and the disk works again after a
  /// reset, and memory that no request named kept its content.
  /// The case's name is `group`, a dot and `name`.
  void judge(std::string_view group, std::string_view name, u32 seen, u32 allowed);

  /// Resets, starts with all that is offered, reads and compares. False, with a line, when not.
  bool recovers();

  /// A buffer of a MiB for requests to name.
  u8* data() { return witness_.data(); }
  /// A page for headers, tables and status bytes.
  u8* page() { return witness_.page(); }

 private:
  block::Disk* disk_ = nullptr;
  Witness witness_;
  u8* good_ = nullptr;
};

/// "reset", "error", ...: what was seen, for people.
std::string_view describe(u32 seen);

}  // namespace kit::hostile
