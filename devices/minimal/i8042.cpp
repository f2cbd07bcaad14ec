// SPDX-License-Identifier: Apache-2.0
// The controller's commands; see i8042.hpp.
#include "devices/minimal/i8042.hpp"

#include <utility>

namespace mote {
namespace {

// Status register, port 64h. The input buffer's bit (1) is never set: a byte is taken at once.
constexpr u8 kOutputFull = 1u << 0;
constexpr u8 kSystemFlag = 1u << 2;  // self test passed
constexpr u8 kLastWasCommand = 1u << 3;
constexpr u8 kNotLocked = 1u << 4;  // the key switch of the case
constexpr u8 kStatusKept = kSystemFlag | kLastWasCommand | kNotLocked;

// Command byte, in RAM byte 0.
constexpr u8 kModeKeyboardInterrupt = 1u << 0;
constexpr u8 kModeSystemFlag = 1u << 2;
constexpr u8 kModeKeyboardOff = 1u << 4;
constexpr u8 kModeSecondPortOff = 1u << 5;
constexpr u8 kModeTranslate = 1u << 6;

// Commands. Those from 20h and 60h carry a RAM index in their low five bits; those from F0h pulse
// the output port's low lines for which the bit is clear.
constexpr u8 kReadRam = 0x20;
constexpr u8 kWriteRam = 0x60;
constexpr u8 kRamIndexMask = 0x1f;
constexpr u8 kSecondPortOff = 0xa7;
constexpr u8 kSecondPortOn = 0xa8;
constexpr u8 kTestSecondPort = 0xa9;
constexpr u8 kSelfTest = 0xaa;
constexpr u8 kTestKeyboardPort = 0xab;
constexpr u8 kKeyboardOff = 0xad;
constexpr u8 kKeyboardOn = 0xae;
constexpr u8 kReadInputPort = 0xc0;
constexpr u8 kReadOutputPort = 0xd0;
constexpr u8 kWriteOutputPort = 0xd1;
constexpr u8 kLoopKeyboard = 0xd2;
constexpr u8 kLoopSecondPort = 0xd3;
constexpr u8 kWriteSecondPort = 0xd4;
constexpr u8 kPulse = 0xf0;

constexpr u8 kSelfTestPassed = 0x55;
constexpr u8 kPortTestPassed = 0x00;
constexpr u8 kPortTestClockLow = 0x01;
constexpr u8 kInputPort = 0x80;  // keyboard not locked
// Output port: line 0 low resets the processor, line 1 high lets address line 20 through.
constexpr u8 kLineReset = 1u << 0;
constexpr u8 kOutputPort = kLineReset | 1u << 1;

constexpr bool takes_data(u8 command) {
  return (command & ~kRamIndexMask) == kWriteRam || command == kWriteOutputPort ||
         command == kLoopKeyboard || command == kLoopSecondPort || command == kWriteSecondPort;
}

constexpr u8 with(u8 bits, u8 set) {
  return static_cast<u8>(bits | set);
}
constexpr u8 without(u8 bits, u8 clear) {
  return static_cast<u8>(bits & ~clear);
}

}  // namespace

// As firmware leaves it: self test passed, both ports off, no interrupts.
I8042::I8042(IrqLine& irq, PowerSink& power) : irq_(irq), power_(power) {
  state_.ram[0] = kModeSystemFlag | kModeKeyboardOff | kModeSecondPortOff | kModeTranslate;
  state_.status = kSystemFlag | kNotLocked;
}

void I8042::attach(Bus& ports) {
  data_window_.attach(ports);
  command_window_.attach(ports);
}

u8 I8042::read_port(u16 port) {
  const std::lock_guard guard(lock_);
  switch (port) {
    case kDataPort:
      return read_data();
    case kCommandPort:
      return state_.output_full || shows_key() ? with(state_.status, kOutputFull) : state_.status;
    default:
      return 0xff;
  }
}

u8 I8042::read_data() {
  if (!std::exchange(state_.output_full, false) && shows_key()) {
    state_.output = keyboard_.take();
    update_line(true);
  } else {
    update_line(false);
  }
  return state_.output;
}

void I8042::write_port(u16 port, u8 value) {
  bool reset = false;
  {
    const std::lock_guard guard(lock_);
    if (port == kCommandPort) reset = command(value);
    if (port == kDataPort) reset = data(value);
    update_line(false);
  }
  if (reset) power_.reset();
}

/// True when the processor's reset line was pulled.
bool I8042::command(u8 value) {
  state_.status = with(state_.status, kLastWasCommand);
  state_.pending = takes_data(value) ? value : u8{0};
  if ((value & ~kRamIndexMask) == kReadRam) {
    answer(state_.ram[value & kRamIndexMask]);
    return false;
  }
  if ((value & kPulse) == kPulse) return (value & kLineReset) == 0;

  u8& mode = state_.ram[0];
  switch (value) {
    case kSecondPortOff:
      mode = with(mode, kModeSecondPortOff);
      break;
    case kSecondPortOn:
      mode = without(mode, kModeSecondPortOff);
      break;
    case kTestSecondPort:
      answer(kPortTestClockLow);
      break;
    case kSelfTest:
      state_.status = with(state_.status, kSystemFlag);
      answer(kSelfTestPassed);
      break;
    case kTestKeyboardPort:
      answer(kPortTestPassed);
      break;
    case kKeyboardOff:
      mode = with(mode, kModeKeyboardOff);
      break;
    case kKeyboardOn:
      mode = without(mode, kModeKeyboardOff);
      break;
    case kReadInputPort:
      answer(kInputPort);
      break;
    case kReadOutputPort:
      answer(state_.output_full || shows_key() ? with(kOutputPort, 1u << 4) : kOutputPort);
      break;
    default:
      break;
  }
  return false;
}

/// A byte for the command that waits for one, or for the keyboard. True when the processor's reset
/// line was pulled.
bool I8042::data(u8 value) {
  state_.status = without(state_.status, kLastWasCommand);
  const u8 command = std::exchange(state_.pending, u8{0});
  if ((command & ~kRamIndexMask) == kWriteRam) {
    state_.ram[command & kRamIndexMask] = value;
    return false;
  }
  // WHY: the second port's loop-back is answered without the mark of that port: no such port.
  if (command == kLoopKeyboard || command == kLoopSecondPort) answer(value);
  if (command == 0) {
    // Talking to the keyboard switches its port on.
    state_.ram[0] = without(state_.ram[0], kModeKeyboardOff);
    keyboard_.write(value, translates());
  }
  return command == kWriteOutputPort && (value & kLineReset) == 0;
}

void I8042::answer(u8 value) {
  state_.output = value;
  state_.output_full = true;
}

bool I8042::translates() const {
  return (state_.ram[0] & kModeTranslate) != 0;
}

bool I8042::port_is_on() const {
  return (state_.ram[0] & kModeKeyboardOff) == 0;
}

/// Whether the next byte that is read is the keyboard's.
bool I8042::shows_key() const {
  return !state_.output_full && port_is_on() && keyboard_.has_byte();
}

/// `is_next`: should a key be shown it is another one than before.
void I8042::update_line(bool is_next) {
  const bool high = shows_key() && (state_.ram[0] & kModeKeyboardInterrupt) != 0;
  if (high == line_high_ && !(high && is_next)) return;
  if (line_high_) irq_.set_level(false);
  if (high) irq_.set_level(true);
  line_high_ = high;
}

bool I8042::send_ctrl_alt_del() {
  const std::lock_guard guard(lock_);
  const bool sent = port_is_on() && keyboard_.press_ctrl_alt_del(translates());
  // Also when older bytes wait: the guest may have missed their interrupt.
  update_line(true);
  return sent;
}

I8042::State I8042::save() const {
  const std::lock_guard guard(lock_);
  State state = state_;
  state.keyboard = keyboard_.state();
  return state;
}

void I8042::restore(const State& state) {
  const std::lock_guard guard(lock_);
  state_ = state;
  state_.status &= kStatusKept;
  if (!takes_data(state_.pending)) state_.pending = 0;
  keyboard_.restore(state.keyboard);
  line_high_ = shows_key() && (state_.ram[0] & kModeKeyboardInterrupt) != 0;
}

}  // namespace mote
