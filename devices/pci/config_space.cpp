// SPDX-License-Identifier: Apache-2.0
// Configuration space; see config_space.hpp. Section numbers are PCI 3.0's.
#include "devices/pci/config_space.hpp"

#include "core/bus.hpp"
#include "core/check.hpp"

namespace mote::pci {
namespace {

// Registers (6.1).
constexpr u32 kVendor = 0x00;
constexpr u32 kDevice = 0x02;
constexpr u32 kCommand = 0x04;
constexpr u32 kStatus = 0x06;
constexpr u32 kRevision = 0x08;
constexpr u32 kClassCode = 0x09;
constexpr u32 kCacheLineSize = 0x0c;
constexpr u32 kFirstBar = 0x10;
constexpr u32 kSubsystemVendor = 0x2c;
constexpr u32 kSubsystem = 0x2e;
constexpr u32 kInterruptLine = 0x3c;

// Command (6.2.2).
constexpr u32 kMemoryDecoding = 1u << 1;
constexpr u32 kBusMaster = 1u << 2;
constexpr u32 kNoInterruptPin = 1u << 10;
// Status (6.2.3).
constexpr u32 kHasCapabilities = 1u << 4;

// A BAR (6.2.5.1).
constexpr u32 kIs64Bit = 1u << 2;
constexpr u32 kIsPrefetchable = 1u << 3;
constexpr u64 kBarFlags = 0xf;

constexpr u32 bar_offset(u32 bar) {
  return kFirstBar + 4 * bar;
}
constexpr u32 low(u64 value) {
  return static_cast<u32>(value);
}
constexpr u32 high(u64 value) {
  return static_cast<u32>(value >> 32);
}

}  // namespace

ConfigSpace::ConfigSpace(const Identity& identity, const Bars& bars) : bars_(bars) {
  set(kVendor, 2, identity.vendor);
  set(kDevice, 2, identity.device);
  set(kRevision, 1, identity.revision);
  set(kClassCode, 3, identity.class_code);
  set(kSubsystemVendor, 2, identity.subsystem_vendor);
  set(kSubsystem, 2, identity.subsystem);
  allow(kCommand, 2, kMemoryDecoding | kBusMaster | kNoInterruptPin);
  allow(kCacheLineSize, 1, 0xff);
  allow(kInterruptLine, 1, 0xff);
  for (u32 bar = 0; bar < kBarCount; ++bar) {
    const Bar& range = bars_[bar];
    if (range.size == 0) continue;
    CHECK((range.size & (range.size - 1)) == 0 && range.size >= kPageSize,
          "a BAR has a legal size");
    CHECK(range.is_64bit ? bar + 1 < kBarCount : range.size <= 2 * kGiB, "a BAR fits its register");
    set(bar_offset(bar), 4,
        (range.is_64bit ? kIs64Bit : 0) | (range.is_prefetchable ? kIsPrefetchable : 0));
    const u64 address_bits = ~(range.size - 1);
    allow(bar_offset(bar), 4, low(address_bits));
    if (range.is_64bit) allow(bar_offset(bar + 1), 4, high(address_bits));
  }
}

u8 ConfigSpace::add_capability(u8 id, std::span<const u8> body, std::span<const u8> writable) {
  const u32 offset = end_;
  const u32 size = static_cast<u32>(2 + body.size());
  CHECK(size <= kSize - offset && writable.size() <= body.size(), "a capability has room");
  set(kStatus, 2, value(kStatus, 2) | kHasCapabilities);
  set(last_link_, 1, offset);
  set(offset, 1, id);
  for (u32 i = 0; i < body.size(); ++i) set(offset + 2 + i, 1, body[i]);
  for (u32 i = 0; i < writable.size(); ++i) allow(offset + 2 + i, 1, writable[i]);
  last_link_ = offset + 1;
  end_ = (offset + size + 3) & ~u32{3};
  return static_cast<u8>(offset);
}

void ConfigSpace::read(u32 offset, std::span<std::byte> data) const {
  for (std::byte& byte : data) {
    byte = offset < kSize ? std::byte{bytes_[offset]} : std::byte{0};
    ++offset;
  }
}

void ConfigSpace::write(u32 offset, std::span<const std::byte> data) {
  for (const std::byte byte : data) {
    if (offset >= kSize) return;
    const u8 mask = writable_[offset];
    bytes_[offset] = static_cast<u8>((bytes_[offset] & ~mask) | (static_cast<u8>(byte) & mask));
    ++offset;
  }
}

void ConfigSpace::place_bar(u32 bar, Gpa home) {
  const Bar& range = bars_.at(bar);
  CHECK(range.size != 0 && home.raw() % range.size == 0, "a BAR's home is aligned");
  CHECK(range.is_64bit || high(home.raw()) == 0, "a BAR's home fits its register");
  homes_[bar] = home.raw();
  set(bar_offset(bar), 4, low(home.raw()) | low(value(bar_offset(bar), 4) & kBarFlags));
  if (range.is_64bit) set(bar_offset(bar + 1), 4, high(home.raw()));
}

bool ConfigSpace::answers(u32 bar) const {
  return bars_.at(bar).size != 0 && (value(kCommand, 2) & kMemoryDecoding) != 0 &&
         bar_register(bar) == homes_[bar];
}

u64 ConfigSpace::bar_register(u32 bar) const {
  const u64 upper = bars_[bar].is_64bit ? value(bar_offset(bar + 1), 4) : 0;
  return upper << 32 | (value(bar_offset(bar), 4) & ~kBarFlags);
}

u32 ConfigSpace::value(u32 offset, u32 size) const {
  return static_cast<u32>(load_le(std::as_bytes(std::span(bytes_)).subspan(offset, size)));
}

void ConfigSpace::restore(const State& state) {
  write(0, std::as_bytes(std::span(state.bytes)));
}

void ConfigSpace::set(u32 offset, u32 size, u32 value) {
  store_le(std::as_writable_bytes(std::span(bytes_)).subspan(offset, size), value);
}

void ConfigSpace::allow(u32 offset, u32 size, u32 bits) {
  store_le(std::as_writable_bytes(std::span(writable_)).subspan(offset, size), bits);
}

}  // namespace mote::pci
