// SPDX-License-Identifier: Apache-2.0
// The I/O APIC's redirection table; see ioapic.hpp. Section numbers are the 82093AA data sheet's.
#include "devices/minimal/ioapic.hpp"

#include "core/check.hpp"

namespace mote {
namespace {

constexpr u64 kIoRegSel = 0x00;
constexpr u64 kIoWin = 0x10;

// Registers by IOREGSEL (3.2). Entry n has its low half at 10h + 2n and its high half after it.
constexpr u32 kIdRegister = 0;
constexpr u32 kVersionRegister = 1;
constexpr u32 kArbitrationRegister = 2;
constexpr u32 kFirstEntry = 0x10;

// Version 11h has no EOI register: drivers then clear Remote-IRR by a detour over edge trigger.
constexpr u32 kVersion = 0x11 | (kPinCount - 1) << 16;
constexpr u32 kIdShift = 24;
constexpr u8 kIdMask = 0x0f;

// A redirection entry (3.2.4).
constexpr u64 kVectorMask = 0xff;
constexpr u32 kModeShift = 8;
constexpr u64 kModeMask = 7;
constexpr u64 kLogical = 1u << 11;
constexpr u64 kDeliveryStatus = 1u << 12;
constexpr u64 kRemoteIrr = 1u << 14;
constexpr u64 kLevelTriggered = 1u << 15;
constexpr u64 kMasked = 1u << 16;
constexpr u32 kDestinationShift = 56;
constexpr u32 kExtendedShift = 49;  // to 55; used where the host offers extended destinations
constexpr u64 kExtendedMask = 0x7f;

constexpr u64 kReadOnly = kDeliveryStatus | kRemoteIrr;
constexpr u64 kExisting = 0xfffe'0000'0001'ffff;

enum class Mode : u8 { kFixed = 0, kLowest = 1, kSmi = 2, kNmi = 4, kInit = 5, kExtInt = 7 };

// A message [SDM 3A 11.11].
constexpr u32 kMsiBase = 0xfee0'0000;
constexpr u32 kMsiLogical = 1u << 2;
constexpr u32 kMsiAssert = 1u << 14;
constexpr u32 kMsiLevel = 1u << 15;

constexpr u32 kFirstLegalVector = 16;

constexpr Mode mode(u64 entry) {
  return static_cast<Mode>((entry >> kModeShift) & kModeMask);
}
constexpr bool is_vectored(u64 entry) {
  return mode(entry) == Mode::kFixed || mode(entry) == Mode::kLowest;
}
/// NMI and INIT are edges whatever the trigger bit says (3.2.4).
constexpr bool is_level(u64 entry) {
  return is_vectored(entry) && (entry & kLevelTriggered) != 0;
}
constexpr bool is_masked(u64 entry) {
  return (entry & kMasked) != 0;
}
constexpr bool is_in_service(u64 entry) {
  return (entry & kRemoteIrr) != 0;
}

/// The message that an entry stands for, or nothing when it is not one to deliver.
std::optional<MsiMessage> message_of(u64 entry) {
  const u32 vector = static_cast<u32>(entry & kVectorMask);
  const bool deliverable = is_vectored(entry)
                               ? vector >= kFirstLegalVector
                               : mode(entry) == Mode::kNmi || mode(entry) == Mode::kInit;
  if (!deliverable) return std::nullopt;
  MsiMessage message;
  message.address_low = kMsiBase | static_cast<u32>(entry >> kDestinationShift) << 12 |
                        static_cast<u32>((entry >> kExtendedShift) & kExtendedMask) << 5 |
                        ((entry & kLogical) != 0 ? kMsiLogical : 0);
  message.data = vector | static_cast<u32>(mode(entry)) << kModeShift |
                 (is_level(entry) ? kMsiLevel | kMsiAssert : 0);
  return message;
}

constexpr u32 bit(u32 pin) {
  return u32{1} << pin;
}

}  // namespace

IoApic::IoApic(MsiSink& sink) : sink_(sink) {
  state_.entries.fill(kMasked);
}

void IoApic::read(u64 offset, std::span<std::byte> data) {
  const std::lock_guard guard(lock_);
  if (offset == kIoRegSel && data.size() <= 4) {
    store_le(data, state_.select);
  } else if (offset == kIoWin && data.size() <= 4) {
    store_le(data, read_window());
  } else {
    fill_ones(data);
  }
}

void IoApic::write(u64 offset, std::span<const std::byte> data) {
  const std::lock_guard guard(lock_);
  if (offset == kIoRegSel && data.size() <= 4) {
    state_.select = static_cast<u8>(load_le(data));
  } else if (offset == kIoWin && data.size() == 4) {
    write_window(static_cast<u32>(load_le(data)));
  }
}

u32 IoApic::read_window() const {
  switch (state_.select) {
    case kIdRegister:
    case kArbitrationRegister:
      return u32{state_.id} << kIdShift;
    case kVersionRegister:
      return kVersion;
    default:
      break;
  }
  const u32 pin = (u32{state_.select} - kFirstEntry) / 2;
  if (state_.select < kFirstEntry || pin >= kPinCount) return ~u32{0};
  const u64 entry = state_.entries[pin];
  return static_cast<u32>((state_.select & 1) != 0 ? entry >> 32 : entry);
}

void IoApic::write_window(u32 value) {
  if (state_.select == kIdRegister) state_.id = (value >> kIdShift) & kIdMask;
  const u32 pin = (u32{state_.select} - kFirstEntry) / 2;
  if (state_.select < kFirstEntry || pin >= kPinCount) return;
  const u64 entry = state_.entries[pin];
  const u64 written = (state_.select & 1) != 0 ? (entry & 0xffff'ffff) | u64{value} << 32
                                               : (entry & ~u64{0xffff'ffff}) | value;
  write_entry(pin, written);
}

void IoApic::write_entry(u32 pin, u64 value) {
  u64& entry = state_.entries[pin];
  entry = (value & kExisting & ~kReadOnly) | (entry & kReadOnly);
  // Edge-triggered entries have no Remote-IRR; drivers switch there and back to clear it.
  if (!is_level(entry)) entry &= ~kRemoteIrr;
  update_route(pin);
  deliver_level(pin);
}

void IoApic::set_level(Pin pin, bool high) {
  const u32 n = index(pin);
  CHECK(n < kPinCount, "the I/O APIC has this pin");
  const std::lock_guard guard(lock_);
  const bool was_high = (state_.levels & bit(n)) != 0;
  if (high == was_high) return;
  state_.levels ^= bit(n);
  if (!high) return;
  deliver_edge(n);
  deliver_level(n);
}

void IoApic::deliver_edge(u32 pin) {
  const u64 entry = state_.entries[pin];
  if (is_level(entry) || is_masked(entry)) return;
  if (const auto message = message_of(entry)) sink_.deliver(*message);
}

/// Starts a level-triggered interrupt if the line asks for one and none is under way. Its route is
/// set already (ORDER: before delivery, or a vCPU could end it without our learning of it).
void IoApic::deliver_level(u32 pin) {
  u64& entry = state_.entries[pin];
  const bool line_high = (state_.levels & bit(pin)) != 0;
  if (!is_level(entry) || !line_high || is_masked(entry) || is_in_service(entry)) return;
  const auto message = message_of(entry);
  if (!message) return;
  entry |= kRemoteIrr;
  state_.in_service[pin] = *message;
  sink_.deliver(*message);
}

/// WHY: matched against the vector as delivered, not as the entry says now: a guest that moves an
/// interrupt while it is in service would otherwise wait for ever.
void IoApic::end_of_interrupt(u8 vector) {
  const std::lock_guard guard(lock_);
  for (u32 pin = 0; pin < kPinCount; ++pin) {
    if (!is_in_service(state_.entries[pin])) continue;
    if ((state_.in_service[pin].data & kVectorMask) != vector) continue;
    state_.entries[pin] &= ~kRemoteIrr;
    update_route(pin);
    deliver_level(pin);
  }
}

void IoApic::use_irqfd(Pin pin) {
  CHECK(index(pin) < kPinCount, "the I/O APIC has this pin");
  const std::lock_guard guard(lock_);
  irqfd_pins_ |= bit(index(pin));
  update_route(index(pin));
}

void IoApic::update_route(u32 pin) {
  const u64 entry = state_.entries[pin];
  const bool wanted = is_level(entry) || (irqfd_pins_ & bit(pin)) != 0;
  std::optional<MsiMessage> route;
  if (is_in_service(entry)) {
    route = state_.in_service[pin];
  } else if (wanted && !is_masked(entry)) {
    route = message_of(entry);
  }
  const bool ready =
      route && (irqfd_pins_ & bit(pin)) != 0 && !is_level(entry) && !is_masked(entry);
  const u32 others = irqfd_ready_.load(std::memory_order_relaxed) & ~bit(pin);
  irqfd_ready_.store(others | (ready ? bit(pin) : 0), std::memory_order_release);
  if (route == routes_[pin]) return;
  routes_[pin] = route;
  sink_.set_route(Pin{static_cast<u8>(pin)}, route);
}

IoApic::State IoApic::save() const {
  const std::lock_guard guard(lock_);
  return state_;
}

void IoApic::restore(const State& state) {
  const std::lock_guard guard(lock_);
  state_ = state;
  state_.id &= kIdMask;
  state_.levels &= bit(kPinCount) - 1;
  for (u32 pin = 0; pin < kPinCount; ++pin) {
    u64& entry = state_.entries[pin];
    entry &= kExisting & ~kDeliveryStatus;
    if (!is_level(entry)) entry &= ~kRemoteIrr;
    update_route(pin);
  }
}

}  // namespace mote
