// SPDX-License-Identifier: Apache-2.0
// The numbers of this house: sized integers, sizes with units, and strong types for what must not
// be mixed up.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace mote {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

inline constexpr u64 kKiB = 1024;
inline constexpr u64 kMiB = 1024 * kKiB;
inline constexpr u64 kGiB = 1024 * kMiB;
inline constexpr u64 kPageSize = 4 * kKiB;
inline constexpr u64 kHugePageSize = 2 * kMiB;

/// Rounds up to a multiple of `align` (a power of two); nothing when the result does not fit 64
/// bits.
constexpr std::optional<u64> align_up(u64 value, u64 align) {
  if (value > ~u64{0} - (align - 1)) return std::nullopt;
  return (value + align - 1) & ~(align - 1);
}

/// A guest-physical address. Arithmetic that could leave the address space is spelled with
/// `checked_add`, so an offset from the guest cannot wrap by accident.
class Gpa {
 public:
  constexpr Gpa() = default;
  explicit constexpr Gpa(u64 raw) : raw_(raw) {}
  constexpr u64 raw() const { return raw_; }
  constexpr auto operator<=>(const Gpa&) const = default;
  /// The address `offset` bytes further; nothing when it would wrap at 2^64.
  constexpr std::optional<Gpa> checked_add(u64 offset) const {
    if (offset > ~u64{0} - raw_) return std::nullopt;
    return Gpa(raw_ + offset);
  }
  /// The distance in bytes; `other` must not be above.
  constexpr u64 operator-(Gpa other) const { return raw_ - other.raw_; }

 private:
  u64 raw_ = 0;
};

/// A half-open range of guest-physical addresses [start, start + size).
struct GpaRange {
  Gpa start;
  u64 size = 0;
  constexpr u64 end() const { return start.raw() + size; }
  constexpr bool contains(Gpa gpa) const { return gpa >= start && gpa - start < size; }
  constexpr bool overlaps(const GpaRange& other) const {
    return start.raw() < other.end() && other.start.raw() < end();
  }
};

/// An input of the I/O APIC, 0..23. Pin n is GSI n in KVM's routing table (design: pins are the
/// first 24 GSIs), which is why there is no second type for GSIs of devices without MSI.
enum class Pin : u8 {};

/// Number of inputs of the I/O APIC.
inline constexpr u32 kPinCount = 24;

constexpr u32 index(Pin pin) {
  return static_cast<u32>(pin);
}

/// A message-signalled interrupt: what a device, or a pin of the I/O APIC, writes to the local
/// APICs. Layout of address and data as in [SDM 3A 11.11].
struct MsiMessage {
  u32 address_low = 0;
  u32 address_high = 0;
  u32 data = 0;
  constexpr bool operator==(const MsiMessage&) const = default;
};

}  // namespace mote
