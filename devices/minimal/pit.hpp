// SPDX-License-Identifier: Apache-2.0
// The PC's interval timer, an 8254, with the system control port beside it. Ports for vCPU threads,
// the alarm for the event loop's.
#pragma once

#include <array>
#include <mutex>

#include "core/alarm.hpp"
#include "core/irq_line.hpp"
#include "devices/minimal/byte_device.hpp"
#include "devices/minimal/pit_channel.hpp"

namespace mote {

/// Ports 40h..43h and 61h. Channel 0 pulses its interrupt line each time its output rises, channel
/// 2's gate and output are at port 61h, channel 1 only counts.
///
/// The alarm is armed only while channel 0 is programmed to interrupt. When it comes late, the
/// interrupts missed are not made up for: one pulse stands for all. Interrupts are at least
/// `kMinIntervalNs` apart whatever the guest programs, so that a short count costs the host no more
/// than ten thousand wake-ups a second.
/// One lock; under it the interrupt controllers and the Alarm are called.
class Pit final : public AlarmHandler {
 public:
  static constexpr u64 kMinIntervalNs = 100'000;

  struct State {
    std::array<PitChannel::State, 3> channels;
    u8 control = 0;  ///< bits 0..3 of port 61h
    bool operator==(const State&) const = default;
  };

  /// `alarm` is to call `on_alarm`.
  Pit(IrqLine& irq, Alarm& alarm) : irq_(irq), alarm_(alarm) {}

  void attach(Bus& ports);
  /// Ports other than the five read all ones and ignore writes.
  u8 read_port(u16 port);
  void write_port(u16 port, u8 value);
  /// Pulses channel 0's line if it is time, and arms the alarm for the next time.
  void on_alarm() override;

  State save() const;
  /// Takes any State, and arms the alarm if it says so.
  void restore(const State& state);

 private:
  void write_control(u8 value, u64 now);
  void read_back(u8 value, u64 now);
  u8 system_control(u64 now) const;
  void schedule(u64 now);

  IrqLine& irq_;
  Alarm& alarm_;
  mutable std::mutex lock_;
  std::array<PitChannel, 3> channels_{PitChannel(true), PitChannel(true), PitChannel(false)};
  u8 control_ = 0;
  u64 deadline_ = 0;  // of the next interrupt, 0 when there is none
  u64 not_before_ = 0;
  PortWindow<Pit> counter_window_{*this, "pit", 0x40, 4};
  PortWindow<Pit> control_window_{*this, "system control", 0x61, 1};
};

}  // namespace mote
