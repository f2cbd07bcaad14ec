// SPDX-License-Identifier: Apache-2.0
#include "devices/minimal/keyboard.hpp"

#include <algorithm>
#include <utility>

#include "core/check.hpp"

namespace mote {
namespace {

// Commands.
constexpr u8 kSetLeds = 0xed;
constexpr u8 kEcho = 0xee;
constexpr u8 kScanCodeSet = 0xf0;  // argument 0 asks for it
constexpr u8 kIdentify = 0xf2;
constexpr u8 kSetRepeat = 0xf3;
constexpr u8 kKeysOn = 0xf4;
constexpr u8 kKeysOff = 0xf5;  // and defaults
constexpr u8 kSetDefaults = 0xf6;
constexpr u8 kReset = 0xff;

// Answers.
constexpr u8 kAcknowledge = 0xfa;
constexpr u8 kTestPassed = 0xaa;
constexpr u8 kResend = 0xfe;  // to what it does not know

constexpr bool takes_argument(u8 command) {
  return command == kSetLeds || command == kScanCodeSet || command == kSetRepeat;
}

constexpr u8 kSet1[] = {0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d};
constexpr u8 kSet2[] = {0x14, 0x11, 0xe0, 0x71, 0xe0, 0xf0, 0x71, 0xf0, 0x11, 0xf0, 0x14};

}  // namespace

u8 Keyboard::take() {
  CHECK(has_byte(), "only what is there is taken");
  const u8 first = state_.bytes[0];
  std::copy(state_.bytes.begin() + 1, state_.bytes.end(), state_.bytes.begin());
  --state_.count;
  return first;
}

/// All of `bytes` or nothing.
bool Keyboard::send(std::span<const u8> bytes) {
  if (bytes.size() > kBufferSize - state_.count) return false;
  std::copy(bytes.begin(), bytes.end(), state_.bytes.begin() + state_.count);
  state_.count = static_cast<u8>(state_.count + bytes.size());
  return true;
}

void Keyboard::write(u8 value, bool translates) {
  const u8 awaits = std::exchange(state_.pending, u8{0});
  // A command may come in an argument's place.
  if (awaits != 0 && value < kSetLeds) return argument(awaits, value, translates);
  command(value, translates);
}

void Keyboard::argument(u8 command, u8 value, bool translates) {
  send(kAcknowledge);
  if (command == kScanCodeSet && value == 0) send(translates ? 0x41 : 0x02);
}

void Keyboard::command(u8 value, bool translates) {
  if (value >= kKeysOn && value <= kSetDefaults) {
    state_.count = 0;
    state_.scanning = value != kKeysOff;
  }
  switch (value) {
    case kEcho:
      send(kEcho);
      break;
    case kSetLeds:
    case kScanCodeSet:
    case kSetRepeat:
      state_.pending = value;
      [[fallthrough]];
    case kKeysOn:
    case kKeysOff:
    case kSetDefaults:
      send(kAcknowledge);
      break;
    case kIdentify: {
      const u8 id[] = {kAcknowledge, 0xab, static_cast<u8>(translates ? 0x41 : 0x83)};
      send(id);
      break;
    }
    case kReset: {
      state_ = {};
      const u8 passed[] = {kAcknowledge, kTestPassed};
      send(passed);
      break;
    }
    default:
      send(kResend);
      break;
  }
}

bool Keyboard::press_ctrl_alt_del(bool translates) {
  if (!state_.scanning) return false;
  return translates ? send(kSet1) : send(kSet2);
}

void Keyboard::restore(const State& state) {
  state_ = state;
  state_.count = std::min<u8>(state.count, kBufferSize);
  if (!takes_argument(state.pending)) state_.pending = 0;
}

}  // namespace mote
