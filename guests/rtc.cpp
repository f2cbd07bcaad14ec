// SPDX-License-Identifier: Apache-2.0
// rtc: reads the CMOS clock as unikernels do: waits until no update is in progress, reads the date
// twice, decodes BCD and the 12-hour clock. Then the registers around it.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit {
namespace {

constexpr u16 kIndex = 0x70;
constexpr u16 kData = 0x71;
constexpr u8 kNmiOff = 0x80;

// [MC146818]
constexpr u8 kStatusA = 0x0A;
constexpr u8 kStatusB = 0x0B;
constexpr u8 kStatusC = 0x0C;
constexpr u8 kStatusD = 0x0D;
constexpr u8 kCentury = 0x32;
constexpr u8 kScratch = 0x50;
constexpr u8 kUpdating = 0x80;  // A
constexpr u8 kSet = 0x80;       // B
constexpr u8 kBinary = 0x04;    // B
constexpr u8 k24Hours = 0x02;   // B
constexpr u8 kValid = 0x80;     // D
constexpr u8 kAfternoon = 0x80;
constexpr u64 kPatienceUs = 1'500'000;

u8 read(u8 reg) {
  out8(kIndex, reg);
  return in8(kData);
}
void write(u8 reg, u8 value) {
  out8(kIndex, reg);
  out8(kData, value);
}

struct Date {
  u32 second, minute, hour, day, month, year, century;
  bool operator==(const Date&) const = default;
};

u32 decode(u8 value, bool is_binary) {
  return is_binary ? value : static_cast<u32>((value >> 4) * 10 + (value & 0x0F));
}

Date read_once() {
  const u8 b = read(kStatusB);
  const bool is_binary = (b & kBinary) != 0;
  u8 hour = read(4);
  const bool is_afternoon = (b & k24Hours) == 0 && (hour & kAfternoon) != 0;
  if ((b & k24Hours) == 0) hour &= 0x7F;
  u32 hours = decode(hour, is_binary);
  if ((b & k24Hours) == 0) hours = hours % 12 + (is_afternoon ? 12 : 0);
  return {decode(read(0), is_binary),       decode(read(2), is_binary), hours,
          decode(read(7), is_binary),       decode(read(8), is_binary), decode(read(9), is_binary),
          decode(read(kCentury), is_binary)};
}

bool wait_for_update_end() {
  return wait_until([] { return (read(kStatusA) & kUpdating) == 0; }, kPatienceUs);
}

bool read_date(Date& date) {
  const Deadline deadline(kPatienceUs);
  while (!deadline.has_passed()) {
    if (!wait_for_update_end()) return false;
    date = read_once();
    if (!wait_for_update_end()) return false;
    if (date == read_once()) return true;
  }
  return false;
}

bool is_sane(const Date& date) {
  return date.second < 60 && date.minute < 60 && date.hour < 24 && date.day >= 1 &&
         date.day <= 31 && date.month >= 1 && date.month <= 12 && date.year < 100 &&
         date.century >= 20 && date.century < 22;
}

}  // namespace

void guest_main(const BootInfo&) {
  tsc_khz();
  if (!expect("rtc.update_ends", wait_for_update_end(), "register A reads ", hex(read(kStatusA)))) {
    done();
    return;
  }
  Date date{};
  expect("rtc.reads_alike", read_date(date), "two readings never agree");
  print("date ", date.century, ' ', date.year, '-', date.month, '-', date.day, ' ', date.hour, ':',
        date.minute, ':', date.second, '\n');
  expect("rtc.date", is_sane(date), "out of range");
  expect("rtc.valid", (read(kStatusD) & kValid) != 0, hex(read(kStatusD)));

  // The seconds move on.
  const u32 second = date.second;
  const bool moved = wait_until(
      [second] {
        Date now{};
        return read_date(now) && now.second != second;
      },
      kPatienceUs);
  expect("rtc.runs", moved, "still at second ", second);

  // The same hour in 24-hour and 12-hour form, in binary and BCD.
  const u8 b = read(kStatusB);
  Date other{};
  write(kStatusB, static_cast<u8>(b ^ kBinary));
  const bool binary_agrees = read_date(other) && is_sane(other) && other.month == date.month;
  write(kStatusB, static_cast<u8>(b ^ k24Hours));
  const bool hours_agree = read_date(other) && is_sane(other) && other.month == date.month;
  write(kStatusB, b);
  expect("rtc.binary", binary_agrees, "month ", other.month);
  expect("rtc.12_hours", hours_agree, "hour ", other.hour);

  read(kStatusC);
  expect_equal("rtc.flags_clear_on_read", read(kStatusC), u8{0});
  // Bit 7 of the index masks NMIs and is no part of the address.
  expect_equal("rtc.nmi_bit", read(kNmiOff | kStatusD), read(kStatusD));
  write(kScratch, 0x5A);
  expect_equal("rtc.memory", read(kScratch), u8{0x5A});

  write(kStatusB, static_cast<u8>(b | kSet));
  write(0, 30);
  write(kStatusB, b);
  expect("rtc.settable", read_date(date) && is_sane(date), "out of range");
  done();
}

}  // namespace kit
