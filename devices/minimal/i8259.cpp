// SPDX-License-Identifier: Apache-2.0
// The 8259A's command words and priorities; see i8259.hpp.
#include "devices/minimal/i8259.hpp"

#include <bit>

namespace mote {
namespace {

// Even address: ICW1 has bit 4; OCW3 bit 3; OCW2 neither.
constexpr u8 kIsIcw1 = 1u << 4;
constexpr u8 kIsOcw3 = 1u << 3;

constexpr u8 kIcw1NeedsIcw4 = 1u << 0;
constexpr u8 kIcw1Single = 1u << 1;
constexpr u8 kIcw2BaseMask = 0xf8;
constexpr u8 kIcw4AutoEoi = 1u << 1;
constexpr u8 kIcw4FullyNested = 1u << 4;

constexpr u8 kOcw2InputMask = 7;
constexpr u32 kOcw2CommandShift = 5;
enum class Ocw2 : u8 {
  kClearRotateOnAutoEoi = 0,
  kEoi = 1,
  kNothing = 2,
  kSpecificEoi = 3,
  kSetRotateOnAutoEoi = 4,
  kRotateOnEoi = 5,
  kSetPriority = 6,
  kRotateOnSpecificEoi = 7,
};

constexpr u8 kOcw3ReadInService = 1u << 0;
constexpr u8 kOcw3ReadSelect = 1u << 1;
constexpr u8 kOcw3Poll = 1u << 2;
constexpr u8 kOcw3SpecialMask = 1u << 5;
constexpr u8 kOcw3SpecialMaskSelect = 1u << 6;

constexpr u8 kPollRequested = 0x80;

constexpr u8 bit(u32 input) {
  return static_cast<u8>(1u << input);
}
constexpr u8 without(u8 bits, u8 clear) {
  return static_cast<u8>(bits & ~clear);
}

}  // namespace

u8 I8259::read(bool odd) {
  if (state_.polled) return poll();
  if (odd) return state_.masked;
  return state_.reads_in_service ? state_.in_service : requests();
}

u8 I8259::poll() {
  state_.polled = false;
  const auto input = requested();
  if (!input) return 0;
  acknowledge(*input);
  return static_cast<u8>(kPollRequested | *input);
}

void I8259::write(bool odd, u8 value) {
  if (odd && state_.next_icw != 0) {
    write_initialisation(value);
  } else if (odd) {
    state_.masked = value;
  } else if ((value & kIsIcw1) != 0) {
    write_icw1(value);
  } else if ((value & kIsOcw3) != 0) {
    write_ocw3(value);
  } else {
    write_ocw2(value);
  }
}

/// Starts over; only the lines and their trigger modes stay.
void I8259::write_icw1(u8 value) {
  State fresh;
  fresh.lines = state_.lines;
  fresh.level_mode = state_.level_mode;
  fresh.masked = 0;
  fresh.next_icw = 2;
  fresh.skip_icw3 = (value & kIcw1Single) != 0;
  fresh.skip_icw4 = (value & kIcw1NeedsIcw4) == 0;
  state_ = fresh;
}

void I8259::write_initialisation(u8 value) {
  switch (state_.next_icw) {
    case 2:
      state_.vector_base = value & kIcw2BaseMask;
      state_.next_icw = state_.skip_icw3 ? 4 : 3;
      break;
    case 3:  // which inputs cascade is wired, not programmed
      state_.next_icw = 4;
      break;
    default:
      state_.auto_eoi = (value & kIcw4AutoEoi) != 0;
      state_.fully_nested = (value & kIcw4FullyNested) != 0;
      state_.next_icw = 0;
      break;
  }
  if (state_.next_icw == 4 && state_.skip_icw4) state_.next_icw = 0;
  state_.initialised = state_.next_icw == 0;
}

void I8259::write_ocw2(u8 value) {
  const u8 named = value & kOcw2InputMask;
  const auto command = static_cast<Ocw2>(value >> kOcw2CommandShift);
  switch (command) {
    case Ocw2::kClearRotateOnAutoEoi:
    case Ocw2::kSetRotateOnAutoEoi:
      state_.rotate_on_auto_eoi = command == Ocw2::kSetRotateOnAutoEoi;
      break;
    case Ocw2::kEoi:
    case Ocw2::kRotateOnEoi: {
      // In special mask mode, masked inputs are not ended by a command that does not name them.
      const u8 eligible =
          state_.special_mask ? without(state_.in_service, state_.masked) : state_.in_service;
      const auto input = highest(eligible);
      if (!input) break;
      state_.in_service = without(state_.in_service, bit(*input));
      if (command == Ocw2::kRotateOnEoi) state_.lowest = static_cast<u8>(*input);
      break;
    }
    case Ocw2::kSpecificEoi:
    case Ocw2::kRotateOnSpecificEoi:
      state_.in_service = without(state_.in_service, bit(named));
      if (command == Ocw2::kRotateOnSpecificEoi) state_.lowest = named;
      break;
    case Ocw2::kSetPriority:
      state_.lowest = named;
      break;
    case Ocw2::kNothing:
      break;
  }
}

void I8259::write_ocw3(u8 value) {
  if ((value & kOcw3Poll) != 0) state_.polled = true;
  if ((value & kOcw3ReadSelect) != 0) state_.reads_in_service = (value & kOcw3ReadInService) != 0;
  if ((value & kOcw3SpecialMaskSelect) != 0) {
    state_.special_mask = (value & kOcw3SpecialMask) != 0;
  }
}

void I8259::set_line(u32 input, bool high) {
  const u8 line = bit(input & (kInputCount - 1));
  if (high && (state_.lines & line) == 0) state_.latched |= line;
  state_.lines = high ? static_cast<u8>(state_.lines | line) : without(state_.lines, line);
}

/// An edge stays until it is acknowledged, even when the line falls before: devices here pulse.
u8 I8259::requests() const {
  const u8 edges = without(state_.latched, state_.level_mode);
  return static_cast<u8>(edges | (state_.lines & state_.level_mode));
}

/// The input of highest priority among `inputs`.
std::optional<u32> I8259::highest(u8 inputs) const {
  if (inputs == 0) return std::nullopt;
  const u32 first = (state_.lowest + 1u) % kInputCount;
  const u32 rank = static_cast<u32>(std::countr_zero(std::rotr(inputs, static_cast<int>(first))));
  return (first + rank) % kInputCount;
}

std::optional<u32> I8259::requested() const {
  if (!is_ready()) return std::nullopt;
  const auto input = highest(without(requests(), state_.masked));
  if (!input) return std::nullopt;

  u8 blocking = state_.in_service;
  if (state_.special_mask) blocking = without(blocking, state_.masked);
  // Special fully nested mode: a further request through a cascaded chip is of higher priority
  // there, or that chip would not make it.
  if (state_.fully_nested) blocking = without(blocking, cascade_ & bit(*input));
  // Of the request and those in service, the one of highest priority decides.
  const bool serves_itself = (blocking & bit(*input)) != 0;
  if (serves_itself || highest(static_cast<u8>(blocking | bit(*input))) != input) {
    return std::nullopt;
  }
  return input;
}

u8 I8259::acknowledge(u32 input) {
  state_.latched = without(state_.latched, bit(input));
  if (!state_.auto_eoi) {
    state_.in_service |= bit(input);
  } else if (state_.rotate_on_auto_eoi) {
    state_.lowest = static_cast<u8>(input);
  }
  return static_cast<u8>(state_.vector_base + input);
}

void I8259::restore(const State& state) {
  state_ = state;
  state_.level_mode |= cascade_;
  state_.vector_base &= kIcw2BaseMask;
  state_.lowest &= kOcw2InputMask;
  if (state.next_icw == 1 || state.next_icw > 4) state_.next_icw = 0;
}

}  // namespace mote
