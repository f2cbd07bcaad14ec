// SPDX-License-Identifier: Apache-2.0
// The PC's real-time clock and its 128 bytes of CMOS memory. Called by vCPU threads.
#pragma once

#include <array>
#include <mutex>

#include "devices/minimal/byte_device.hpp"

namespace mote {

/// Where the time comes from: nanoseconds since 1970, UTC.
using WallClock = u64 (*)();
/// The host's CLOCK_REALTIME.
u64 host_wall_clock();

/// What the CMOS memory tells of the machine.
struct RtcRamSizes {
  u64 below_4g = 0;  ///< bytes of RAM from address 0
  u64 above_4g = 0;  ///< bytes of RAM from 4 GiB
};

/// An MC146818 at ports 70h (index) and 71h (data) [MC146818, Motorola 1984]. Shows the host's time
/// (UTC) plus an offset, which is what remains of a time that the guest has set.
///
/// "Update in progress" is real: set during the last 244 us of each second, so that a program that
/// has seen it clear has as long to read a consistent time, as the chip promises.
/// LIMIT: no interrupts: their enable bits in register B and the periodic and alarm flags in C read
/// 0. "Update ended" in C works for programs that poll it.
/// One lock; calls nobody but the clock.
class Rtc final : public ByteDevice {
 public:
  static constexpr u16 kFirstPort = 0x70;
  static constexpr u16 kPortCount = 2;
  static constexpr std::size_t kCmosSize = 128;

  /// All that the guest can change; plain data.
  struct State {
    u8 index = 0;
    std::array<u8, kCmosSize> cmos{};  ///< time registers count only while the guest sets the time
    i64 offset_s = 0;                  ///< the guest's time less the host's
    i64 last_update_s = 0;             ///< the second at which register C was read
    bool operator==(const State&) const = default;
  };

  explicit Rtc(const RtcRamSizes& ram, WallClock clock = host_wall_clock);

  std::string_view name() const override { return "rtc"; }
  void attach(Bus& ports) { ports.add(kFirstPort, kPortCount, *this); }

  State save() const;
  /// Takes any State.
  void restore(const State& state);

 private:
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;

  u8 read_register(u8 index);
  void write_register(u8 index, u8 value);
  void write_b(u8 value);
  i64 seconds() const;
  bool is_setting() const;
  bool is_update_near() const;
  void show_time();
  void take_time();
  u8 encode(u32 value) const;
  u32 decode(u8 value) const;
  u8 encode_hour(u32 hour) const;
  u32 decode_hour(u8 value) const;

  const WallClock clock_;
  mutable std::mutex lock_;
  State state_;
};

}  // namespace mote
