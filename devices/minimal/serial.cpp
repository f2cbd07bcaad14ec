// SPDX-License-Identifier: Apache-2.0
// The 16550A's registers; see serial.hpp. Section numbers are the PC16550D data sheet's.
#include "devices/minimal/serial.hpp"

#include <algorithm>
#include <utility>

namespace mote {
namespace {

using Ier = Serial::Ier;
using Fcr = Serial::Fcr;
using Lcr = Serial::Lcr;
using Mcr = Serial::Mcr;
using Lsr = Serial::Lsr;
using Msr = Serial::Msr;

// offset  divisor latch open   read           write
constexpr u64 kData = 0;     // divisor low  received       to transmit
constexpr u64 kIer = 1;      // divisor high interrupt enable
constexpr u64 kIirFcr = 2;   //              interrupt id   FIFO control
constexpr u64 kLcr = 3;      //              line control
constexpr u64 kMcr = 4;      //              modem control
constexpr u64 kLsr = 5;      //              line status    -
constexpr u64 kMsr = 6;      //              modem status   -
constexpr u64 kScratch = 7;  //              scratch

constexpr Ier kIerReceived{0x01}, kIerEmpty{0x02}, kIerLineStatus{0x04}, kIerModemStatus{0x08};
constexpr Ier kIerBits{0x0f};
constexpr Fcr kFcrEnable{0x01}, kFcrClearReceive{0x02}, kFcrTrigger{0xc0};
constexpr Lcr kLcrDivisorLatch{0x80};
constexpr Mcr kMcrDtr{0x01}, kMcrRts{0x02}, kMcrOut1{0x04}, kMcrOut2{0x08}, kMcrLoop{0x10};
constexpr Mcr kMcrBits{0x1f};
constexpr Lsr kLsrDataReady{0x01}, kLsrOverrun{0x02}, kLsrHoldingEmpty{0x20}, kLsrAllEmpty{0x40};
constexpr Msr kMsrRingEnded{0x04}, kMsrCts{0x10}, kMsrDsr{0x20}, kMsrRi{0x40}, kMsrDcd{0x80};
constexpr Msr kMsrChanges{0x0f};

// Interrupt identification (8.6), highest priority first.
constexpr u8 kCauseLineStatus = 0x06;
constexpr u8 kCauseReceived = 0x04;
constexpr u8 kCauseTimeout = 0x0c;
constexpr u8 kCauseEmpty = 0x02;
constexpr u8 kCauseModemStatus = 0x00;
constexpr u8 kCauseNone = 0x01;
constexpr u8 kIirFifosOn = 0xc0;

/// That many looks at the line status with nothing sent in between: a driver that polls for input,
/// not one that waits for the transmitter.
constexpr u8 kPollsForInput = 64;

constexpr std::size_t trigger_level(Fcr fcr) {
  constexpr std::array<std::size_t, 4> kLevels = {1, 4, 8, 14};
  return kLevels[(fcr & kFcrTrigger).raw >> 6];
}

}  // namespace

u8 Serial::read_byte(u64 offset) {
  u8 value = 0;
  bool room_appeared = false;
  {
    const std::lock_guard guard(lock_);
    value = read_register(offset);
    update_line();
    room_appeared = input_wish_granted();
  }
  if (room_appeared) listener_->on_input_room();
  return value;
}

void Serial::write_byte(u64 offset, u8 value) {
  bool room_appeared = false;
  {
    const std::lock_guard guard(lock_);
    write_register(offset, value);
    update_line();
    room_appeared = input_wish_granted();
  }
  if (room_appeared) listener_->on_input_room();
}

u8 Serial::read_register(u64 offset) {
  const bool divisor_open = state_.lcr.any(kLcrDivisorLatch);
  switch (offset) {
    case kData:
      return divisor_open ? static_cast<u8>(state_.divisor) : take_received();
    case kIer:
      return divisor_open ? static_cast<u8>(state_.divisor >> 8) : state_.ier.raw;
    case kIirFcr:
      return read_cause();
    case kLcr:
      return state_.lcr.raw;
    case kMcr:
      return state_.mcr.raw;
    case kLsr:
      return line_status().raw;
    case kMsr:
      return (modem_inputs() | std::exchange(state_.changes, {})).raw;
    case kScratch:
      return state_.scratch;
    default:
      return 0xff;
  }
}

void Serial::write_register(u64 offset, u8 value) {
  const bool divisor_open = state_.lcr.any(kLcrDivisorLatch);
  switch (offset) {
    case kData:
      if (divisor_open) {
        state_.divisor = static_cast<u16>((state_.divisor & 0xff00) | value);
      } else {
        transmit(value);
      }
      break;
    case kIer:
      if (divisor_open) {
        state_.divisor = static_cast<u16>((state_.divisor & 0x00ff) | (value << 8));
      } else {
        write_ier(Ier{value});
      }
      break;
    case kIirFcr:
      write_fcr(Fcr{value});
      break;
    case kLcr:
      state_.lcr = Lcr{value};
      break;
    case kMcr:
      write_mcr(Mcr{value});
      break;
    case kScratch:
      state_.scratch = value;
      break;
    default:
      break;
  }
}

/// Enabling the "empty" interrupt while the transmitter is empty raises it (8.5): this is how
/// drivers start to send.
void Serial::write_ier(Ier value) {
  const bool newly_enabled = value.any(kIerEmpty) && !state_.ier.any(kIerEmpty);
  state_.ier = value & kIerBits;
  if (newly_enabled && transmitter_empty()) state_.empty_pending = true;
}

/// Other bits count only when the FIFOs are being enabled or stay so; a change of that bit empties
/// them (8.4). The transmitter's FIFO is always empty: the host's buffer takes its place.
void Serial::write_fcr(Fcr value) {
  const bool switched = (value ^ state_.fcr).any(kFcrEnable);
  state_.fcr = value.any(kFcrEnable) ? value & (kFcrEnable | kFcrTrigger) : Fcr{};
  if (switched || (value.any(kFcrEnable) && value.any(kFcrClearReceive))) {
    state_.received_count = 0;
  }
}

void Serial::write_mcr(Mcr value) {
  const Msr before = modem_inputs();
  state_.mcr = value & kMcrBits;
  const Msr after = modem_inputs();
  const Msr changed = before ^ after;
  // The low bits report changes of the bits four above them; for RI its end only (8.8).
  state_.changes |= Msr{static_cast<u8>((changed & ~kMsrRi).raw >> 4)};
  if (changed.any(kMsrRi) && !after.any(kMsrRi)) state_.changes |= kMsrRingEnded;
}

/// What the modem lines say: a peer that is always there and ready, or in loop-back our own outputs
/// (8.7).
Serial::Msr Serial::modem_inputs() const {
  if (!state_.mcr.any(kMcrLoop)) return kMsrCts | kMsrDsr | kMsrDcd;
  Msr inputs;
  if (state_.mcr.any(kMcrDtr)) inputs |= kMsrDsr;
  if (state_.mcr.any(kMcrRts)) inputs |= kMsrCts;
  if (state_.mcr.any(kMcrOut1)) inputs |= kMsrRi;
  if (state_.mcr.any(kMcrOut2)) inputs |= kMsrDcd;
  return inputs;
}

void Serial::transmit(u8 value) {
  // Writing takes the interrupt back, being empty again raises it anew: drivers that answer an edge
  // with the next byte, without a look at its cause, need both.
  state_.empty_pending = false;
  if (state_.idle_polls < kPollsForInput) state_.idle_polls = 0;
  update_line();
  if (state_.mcr.any(kMcrLoop)) {
    push_received(value);
    state_.empty_pending = true;
    return;
  }
  if (output_.room() > 0) {
    const std::byte byte{value};
    output_.put({&byte, 1});
    ++counters_.sent;
  } else {
    ++counters_.send_dropped;
  }
  state_.empty_pending = transmitter_empty();
}

/// True when the host has room for a whole FIFO. A "no" is remembered, so that `output_drained`
/// reports the end of it.
bool Serial::transmitter_empty() {
  const bool empty = state_.mcr.any(kMcrLoop) || output_.room() >= kTransmitFifo;
  if (!empty) state_.short_of_room = true;
  return empty;
}

u8 Serial::take_received() {
  if (state_.received_count == 0) return 0;
  const u8 value = state_.received[0];
  std::copy(state_.received.begin() + 1, state_.received.end(), state_.received.begin());
  --state_.received_count;
  return value;
}

void Serial::push_received(u8 value) {
  if (state_.received_count == kReceiveFifo) {
    state_.errors |= kLsrOverrun;
    ++counters_.receive_dropped;
    return;
  }
  state_.received[state_.received_count++] = value;
  ++counters_.received;
}

Serial::Lsr Serial::line_status() {
  if (state_.idle_polls < kPollsForInput) ++state_.idle_polls;
  Lsr status = std::exchange(state_.errors, {});
  if (state_.received_count > 0) status |= kLsrDataReady;
  if (transmitter_empty()) status |= kLsrHoldingEmpty | kLsrAllEmpty;
  return status;
}

u8 Serial::interrupt_cause() const {
  const Ier ier = state_.ier;
  if (ier.any(kIerLineStatus) && state_.errors != Lsr{}) return kCauseLineStatus;
  if (ier.any(kIerReceived) && state_.received_count > 0) {
    const bool below_trigger =
        state_.fcr.any(kFcrEnable) && state_.received_count < trigger_level(state_.fcr);
    return below_trigger ? kCauseTimeout : kCauseReceived;
  }
  if (ier.any(kIerEmpty) && state_.empty_pending) return kCauseEmpty;
  if (ier.any(kIerModemStatus) && state_.changes != Msr{}) return kCauseModemStatus;
  return kCauseNone;
}

/// Reading "transmitter empty" as the cause acknowledges it; the others end with their reason
/// (8.6).
u8 Serial::read_cause() {
  const u8 cause = interrupt_cause();
  if (cause == kCauseEmpty) state_.empty_pending = false;
  return state_.fcr.any(kFcrEnable) ? static_cast<u8>(cause | kIirFifosOn) : cause;
}

void Serial::update_line() {
  const bool high = interrupt_cause() != kCauseNone;
  if (high == line_high_) return;
  line_high_ = high;
  irq_.set_level(high);
}

bool Serial::is_ready_for_input() const {
  if (state_.mcr.any(kMcrLoop)) return false;
  return state_.mcr.any(kMcrRts) || state_.ier.any(kIerReceived) ||
         state_.idle_polls == kPollsForInput;
}

std::size_t Serial::input_room() {
  const std::lock_guard guard(lock_);
  const std::size_t size = state_.fcr.any(kFcrEnable) ? kReceiveFifo : 1;
  const std::size_t used = state_.received_count;
  const std::size_t room = !is_ready_for_input() || used >= size ? 0 : size - used;
  if (room == 0) input_wished_ = true;
  return room;
}

/// WHY: only when the FIFO has run empty: one wake-up of the loop per FIFO, not per byte.
bool Serial::input_wish_granted() {
  if (!input_wished_ || state_.received_count > 0 || !is_ready_for_input()) return false;
  input_wished_ = false;
  return listener_ != nullptr;
}

/// Takes what the array holds, whatever the guest has done to the FIFO since `input_room`.
void Serial::receive(std::span<const std::byte> bytes) {
  const std::lock_guard guard(lock_);
  for (const std::byte byte : bytes) push_received(static_cast<u8>(byte));
  update_line();
}

void Serial::output_drained() {
  const std::lock_guard guard(lock_);
  if (!state_.short_of_room || output_.room() < kTransmitFifo) return;
  state_.short_of_room = false;
  state_.empty_pending = true;
  update_line();
}

Serial::Counters Serial::counters() const {
  const std::lock_guard guard(lock_);
  return counters_;
}

Serial::State Serial::save() const {
  const std::lock_guard guard(lock_);
  return state_;
}

void Serial::restore(const State& state) {
  const std::lock_guard guard(lock_);
  state_ = state;
  state_.ier &= kIerBits;
  state_.fcr = state.fcr.any(kFcrEnable) ? state.fcr & (kFcrEnable | kFcrTrigger) : Fcr{};
  state_.mcr &= kMcrBits;
  state_.errors &= kLsrOverrun;
  state_.changes &= kMsrChanges;
  state_.received_count = std::min<u8>(state.received_count, kReceiveFifo);
  state_.idle_polls = std::min(state.idle_polls, kPollsForInput);
  line_high_ = interrupt_cause() != kCauseNone;
}

}  // namespace mote
