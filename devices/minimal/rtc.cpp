// SPDX-License-Identifier: Apache-2.0
// The clock's registers; see rtc.hpp.
#include "devices/minimal/rtc.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace mote {
namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u64 kUpdateWarningNs = 244'000;

// Indices. Those below 0Eh are the chip's, the others the PC's convention.
constexpr u8 kSecond = 0x00;
constexpr u8 kMinute = 0x02;
constexpr u8 kHour = 0x04;
constexpr u8 kWeekday = 0x06;  // 1 is Sunday
constexpr u8 kDay = 0x07;
constexpr u8 kMonth = 0x08;
constexpr u8 kYear = 0x09;
constexpr u8 kRegisterA = 0x0a;
constexpr u8 kRegisterB = 0x0b;
constexpr u8 kRegisterC = 0x0c;
constexpr u8 kRegisterD = 0x0d;
constexpr u8 kBaseMemory = 0x15;      // KiB, two bytes
constexpr u8 kExtendedMemory = 0x17;  // KiB above 1 MiB, two bytes; again at 30h
constexpr u8 kExtendedMemoryFound = 0x30;
constexpr u8 kCentury = 0x32;
constexpr u8 kMemoryAbove16M = 0x34;  // 64 KiB units, two bytes
constexpr u8 kMemoryAbove4G = 0x5b;   // 64 KiB units, three bytes
constexpr u8 kIndexMask = 0x7f;       // bit 7 masks NMIs on a PC

constexpr u8 kAUpdateInProgress = 0x80;
constexpr u8 kADefault = 0x26;  // 32768 Hz crystal, 1024 Hz rate
constexpr u8 kBSet = 0x80;
constexpr u8 kBBinary = 0x04;
constexpr u8 kB24Hours = 0x02;
constexpr u8 kBInterrupts = 0x70;
constexpr u8 kCUpdateEnded = 0x10;
constexpr u8 kDValid = 0x80;
constexpr u8 kPm = 0x80;

// Years that four digits can show, in seconds since 1970.
constexpr i64 kFirstSecond = -62'167'219'200;
constexpr i64 kLastSecond = 253'402'300'799;
/// Farther than any two of these are apart.
constexpr i64 kMaxOffset = 2 * (kLastSecond - kFirstSecond);

constexpr bool is_time(u8 index) {
  return index == kSecond || index == kMinute || index == kHour ||
         (index >= kWeekday && index <= kYear) || index == kCentury;
}

}  // namespace

u64 host_wall_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<u64>(now.tv_sec) * kNsPerSecond + static_cast<u64>(now.tv_nsec);
}

Rtc::Rtc(const RtcRamSizes& ram, WallClock clock) : clock_(clock) {
  auto& cmos = state_.cmos;
  cmos[kRegisterA] = kADefault;
  cmos[kRegisterB] = kB24Hours;
  const auto put = [&cmos](u8 index, u64 value, u32 bytes) {
    value = std::min(value, (u64{1} << 8 * bytes) - 1);
    for (u32 i = 0; i < bytes; ++i) cmos[index + i] = static_cast<u8>(value >> 8 * i);
  };
  const auto above = [&ram](u64 start) { return std::max(ram.below_4g, start) - start; };
  put(kBaseMemory, std::min(ram.below_4g, 640 * kKiB) / kKiB, 2);
  put(kExtendedMemory, above(kMiB) / kKiB, 2);
  put(kExtendedMemoryFound, above(kMiB) / kKiB, 2);
  put(kMemoryAbove16M, above(16 * kMiB) / (64 * kKiB), 2);
  put(kMemoryAbove4G, ram.above_4g / (64 * kKiB), 3);
}

u8 Rtc::read_byte(u64 offset) {
  if (offset != 1) return 0xff;  // the index cannot be read
  const std::lock_guard guard(lock_);
  return read_register(state_.index);
}

void Rtc::write_byte(u64 offset, u8 value) {
  const std::lock_guard guard(lock_);
  if (offset == 0) state_.index = value & kIndexMask;
  if (offset == 1) write_register(state_.index, value);
}

u8 Rtc::read_register(u8 index) {
  if (is_time(index) && !is_setting()) show_time();
  switch (index) {
    case kRegisterA:
      return static_cast<u8>(state_.cmos[index] | (is_update_near() ? kAUpdateInProgress : 0));
    case kRegisterC: {
      const i64 now = seconds();
      const bool updated = !is_setting() && now != state_.last_update_s;
      state_.last_update_s = now;
      return updated ? kCUpdateEnded : 0;
    }
    case kRegisterD:
      return kDValid;
    default:
      return state_.cmos[index];
  }
}

void Rtc::write_register(u8 index, u8 value) {
  switch (index) {
    case kRegisterA:
      state_.cmos[index] = value & ~kAUpdateInProgress & 0xff;
      return;
    case kRegisterB:
      write_b(value);
      return;
    case kRegisterC:
    case kRegisterD:
      return;
    default:
      break;
  }
  const bool sets_at_once = is_time(index) && !is_setting();
  if (sets_at_once) show_time();
  state_.cmos[index] = value;
  if (sets_at_once) take_time();
}

/// While SET is on, the time registers stand still and take what the guest writes; when it goes
/// off, the clock runs on from there.
void Rtc::write_b(u8 value) {
  const bool was_setting = is_setting();
  const bool sets = (value & kBSet) != 0;
  if (sets && !was_setting) show_time();
  state_.cmos[kRegisterB] = value & ~kBInterrupts & 0xff;
  if (was_setting && !sets) take_time();
}

bool Rtc::is_setting() const {
  return (state_.cmos[kRegisterB] & kBSet) != 0;
}

bool Rtc::is_update_near() const {
  return !is_setting() && clock_() % kNsPerSecond >= kNsPerSecond - kUpdateWarningNs;
}

i64 Rtc::seconds() const {
  return static_cast<i64>(clock_() / kNsPerSecond) + state_.offset_s;
}

/// Brings the time registers to now.
void Rtc::show_time() {
  const i64 now = std::clamp(seconds(), kFirstSecond, kLastSecond);
  const std::chrono::sys_seconds time{std::chrono::seconds(now)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const u32 year = static_cast<u32>(static_cast<int>(date.year()));
  auto& cmos = state_.cmos;
  cmos[kSecond] = encode(static_cast<u32>(clock.seconds().count()));
  cmos[kMinute] = encode(static_cast<u32>(clock.minutes().count()));
  cmos[kHour] = encode_hour(static_cast<u32>(clock.hours().count()));
  cmos[kWeekday] = encode(std::chrono::weekday(day).c_encoding() + 1);
  cmos[kDay] = encode(static_cast<unsigned>(date.day()));
  cmos[kMonth] = encode(static_cast<unsigned>(date.month()));
  cmos[kYear] = encode(year % 100);
  cmos[kCentury] = encode(year / 100);
}

/// Lets the clock run from what the time registers say. Values out of range carry over (31 February
/// is 3 March); the weekday follows from the date.
void Rtc::take_time() {
  const auto& cmos = state_.cmos;
  const u32 year = std::min(decode(cmos[kCentury]) * 100 + decode(cmos[kYear]) % 100, 9999u);
  const u32 month = std::clamp(decode(cmos[kMonth]), 1u, 12u);
  const std::chrono::year_month_day first{std::chrono::year(static_cast<int>(year)),
                                          std::chrono::month(month), std::chrono::day(1)};
  const auto time =
      std::chrono::sys_days(first) + std::chrono::days(std::max(decode(cmos[kDay]), 1u) - 1) +
      std::chrono::hours(decode_hour(cmos[kHour])) + std::chrono::minutes(decode(cmos[kMinute])) +
      std::chrono::seconds(decode(cmos[kSecond]));
  const i64 wanted = std::chrono::sys_seconds(time).time_since_epoch().count();
  state_.offset_s += wanted - seconds();
}

u8 Rtc::encode(u32 value) const {
  const bool binary = (state_.cmos[kRegisterB] & kBBinary) != 0;
  return static_cast<u8>(binary ? value : value / 10 * 16 + value % 10);
}

u32 Rtc::decode(u8 value) const {
  const bool binary = (state_.cmos[kRegisterB] & kBBinary) != 0;
  return binary ? value : value / 16u * 10u + value % 16u;
}

/// With 12 hours, noon and midnight are 12, and the top bit says p.m.
u8 Rtc::encode_hour(u32 hour) const {
  if ((state_.cmos[kRegisterB] & kB24Hours) != 0) return encode(hour);
  const u8 shown = encode(hour % 12 == 0 ? 12 : hour % 12);
  return static_cast<u8>(shown | (hour >= 12 ? kPm : 0));
}

u32 Rtc::decode_hour(u8 value) const {
  if ((state_.cmos[kRegisterB] & kB24Hours) != 0) return decode(value);
  const u32 hour = decode(value & ~kPm & 0xff) % 12;
  return (value & kPm) != 0 ? hour + 12 : hour;
}

Rtc::State Rtc::save() const {
  const std::lock_guard guard(lock_);
  return state_;
}

void Rtc::restore(const State& state) {
  const std::lock_guard guard(lock_);
  state_ = state;
  state_.index &= kIndexMask;
  state_.cmos[kRegisterA] &= ~kAUpdateInProgress & 0xff;
  state_.cmos[kRegisterB] &= ~kBInterrupts & 0xff;
  state_.offset_s = std::clamp(state.offset_s, -kMaxOffset, kMaxOffset);
}

}  // namespace mote
