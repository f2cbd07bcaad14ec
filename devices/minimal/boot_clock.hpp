// SPDX-License-Identifier: Apache-2.0
// The boot clock: a port through which the guest marks how far its start has come. Called by vCPU
// threads.
#pragma once

#include "core/bus.hpp"

namespace mote {

/// Who keeps the marks. Called on vCPU threads, perhaps several at once; it bounds how many it
/// keeps, for the guest may write as many as it likes.
class BootClockSink {
 public:
  virtual ~BootClockSink() = default;
  /// `mark` is 1 (kernel entered), 2 (init reached) or 3..255 (the guest's own).
  virtual void mark(u8 mark) = 0;
};

/// One port, usually B00h: a byte written is a mark; 0 is none, and other widths have no effect.
/// Reads all ones. Has no state, hence no lock and nothing to save.
class BootClock final : public IoDevice {
 public:
  static constexpr u16 kPortCount = 1;

  explicit BootClock(BootClockSink& sink) : sink_(sink) {}

  std::string_view name() const override { return "boot clock"; }
  void read(u64 offset, std::span<std::byte> data) override;
  void write(u64 offset, std::span<const std::byte> data) override;

 private:
  BootClockSink& sink_;
};

}  // namespace mote
