// SPDX-License-Identifier: Apache-2.0
// What a network device did with something that no driver should do, and whether it can still be
// used afterwards. For guests that break rules; the host end returns frames (reflect.hpp). First
// vCPU, ring 3.
#pragma once

#include <string_view>

#include "guests/kit/reflect.hpp"
#include "guests/kit/types.hpp"
#include "guests/kit/witness.hpp"

namespace kit::net_victim {

// What was seen; sets of them are what a rule allows.
inline constexpr u32 kReset = 1;     // DEVICE_NEEDS_RESET
inline constexpr u32 kUsed = 2;      // a used chain
inline constexpr u32 kOkay = 4;      // a used chain that says or does what it should
inline constexpr u32 kRefusal = 8;   // a control command that is answered by an error
inline constexpr u32 kSilence = 16;  // nothing in the time that it was given

/// One interface, brought back to life after each case.
class Victim {
 public:
  /// Starts the interface and fills the memory that nobody may touch. False when that fails.
  bool prepare(net::Interface& nic);

  /// Waits until a queue has used something, or the device gives up.
  u32 watch(u16 queue, u64 patience_us = 500'000);

  /// Reports the case as `group`, a dot and `name`: PASS when what was seen is among `allowed`, a
  /// frame goes and returns again after a reset, and memory that no chain named kept its content.
  void judge(std::string_view group, std::string_view name, u32 seen, u32 allowed);

  /// Resets, starts with all that is offered, sends a frame and compares what returns. False, with
  /// a line, when not.
  bool recovers();

  /// A buffer of a MiB for chains to name.
  u8* data() { return witness_.data(); }
  /// 64 KiB for headers, tables and answers.
  u8* page() { return witness_.page(); }

 private:
  net::Interface* nic_ = nullptr;
  Witness witness_;
  u64 seed_ = 0;
};

}  // namespace kit::net_victim
