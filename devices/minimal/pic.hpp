// SPDX-License-Identifier: Apache-2.0
// The PC's pair of 8259A interrupt controllers. Ports for vCPU threads, lines for any thread,
// acknowledge for vCPU 0's.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>

#include "devices/minimal/byte_device.hpp"
#include "devices/minimal/i8259.hpp"

namespace mote {

/// Who sees to it that vCPU 0 notices. Called on any thread, under the pair's lock: it must not
/// call back and must not block.
class PicOutput {
 public:
  virtual ~PicOutput() = default;
  /// The output went from low to high.
  virtual void interrupt_requested() = 0;
};

/// Two 8259As, the second behind input 2 of the first, and the ELCR that chooses edge or level for
/// each input. Ports 20h, 21h (first), A0h, A1h (second), 4D0h, 4D1h (ELCR).
///
/// LIMIT: no spurious interrupts. Asking whether there is one and acknowledging it are one step
/// here, so that a request never disappears in between.
/// One lock, last in the order: devices call in with theirs held.
class PicPair {
 public:
  static constexpr u32 kInputCount = 2 * I8259::kInputCount;

  struct State {
    I8259::State first;
    I8259::State second;
    bool operator==(const State&) const = default;
  };

  explicit PicPair(PicOutput& output);

  void attach(Bus& ports);
  /// Ports other than the six read all ones and ignore writes.
  u8 read_port(u16 port);
  void write_port(u16 port, u8 value);

  /// Drives input `irq`, 0..15 except 2, which is the second chip's place: it has no effect there.
  void set_level(u32 irq, bool high);

  /// Whether the output is high. Wait-free, any thread.
  bool has_interrupt() const { return output_high_.load(std::memory_order_acquire); }
  /// The acknowledge cycle: the vector to inject, or nothing when the output is low.
  std::optional<u8> acknowledge();
  /// Whether a request at input `irq` reaches the output as the guest has programmed the pair: it
  /// then expects the device's interrupts here. Wait-free, any thread.
  bool drives(u32 irq) const {
    return irq < kInputCount && (driven_.load(std::memory_order_acquire) >> irq & 1) != 0;
  }

  State save() const;
  /// Takes any State. Does not call `interrupt_requested`: ask `has_interrupt` afterwards.
  void restore(const State& state);

 private:
  void update();
  bool settle();

  PicOutput& output_;
  mutable std::mutex lock_;
  I8259 first_;
  I8259 second_;
  std::atomic<bool> output_high_{false};
  std::atomic<u16> driven_{0};
  PortWindow<PicPair> first_window_{*this, "pic 1", 0x20, 2};
  PortWindow<PicPair> second_window_{*this, "pic 2", 0xa0, 2};
  PortWindow<PicPair> elcr_window_{*this, "elcr", 0x4d0, 2};
};

}  // namespace mote
