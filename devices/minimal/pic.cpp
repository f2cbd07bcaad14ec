// SPDX-License-Identifier: Apache-2.0
// How the two 8259As make one controller; see pic.hpp.
#include "devices/minimal/pic.hpp"

namespace mote {
namespace {

constexpr u16 kFirstPort = 0x20;
constexpr u16 kSecondPort = 0xa0;
constexpr u16 kElcrPort = 0x4d0;

constexpr u32 kCascadeInput = 2;
constexpr u8 kCascadeBit = 1u << kCascadeInput;

// Timer, keyboard, cascade, RTC and coprocessor are edge-triggered for good.
constexpr u8 kFirstElcrMask = 0xf8;
constexpr u8 kSecondElcrMask = 0xde;

}  // namespace

PicPair::PicPair(PicOutput& output) : output_(output), first_(kCascadeBit), second_(0) {}

void PicPair::attach(Bus& ports) {
  first_window_.attach(ports);
  second_window_.attach(ports);
  elcr_window_.attach(ports);
}

u8 PicPair::read_port(u16 port) {
  const std::lock_guard guard(lock_);
  u8 value = 0xff;
  switch (port) {
    case kFirstPort:
    case kFirstPort + 1:
      value = first_.read((port & 1) != 0);
      break;
    case kSecondPort:
    case kSecondPort + 1:
      value = second_.read((port & 1) != 0);
      break;
    case kElcrPort:
      return first_.level_mode();
    case kElcrPort + 1:
      return second_.level_mode();
    default:
      return value;
  }
  update();  // a poll acknowledges
  return value;
}

void PicPair::write_port(u16 port, u8 value) {
  const std::lock_guard guard(lock_);
  switch (port) {
    case kFirstPort:
    case kFirstPort + 1:
      first_.write((port & 1) != 0, value);
      break;
    case kSecondPort:
    case kSecondPort + 1:
      second_.write((port & 1) != 0, value);
      break;
    case kElcrPort:
      first_.set_level_mode(value & kFirstElcrMask);
      break;
    case kElcrPort + 1:
      second_.set_level_mode(value & kSecondElcrMask);
      break;
    default:
      return;
  }
  update();
}

void PicPair::set_level(u32 irq, bool high) {
  if (irq >= kInputCount || irq == kCascadeInput) return;
  const std::lock_guard guard(lock_);
  if (irq < I8259::kInputCount) {
    first_.set_line(irq, high);
  } else {
    second_.set_line(irq - I8259::kInputCount, high);
  }
  update();
}

std::optional<u8> PicPair::acknowledge() {
  const std::lock_guard guard(lock_);
  const auto input = first_.requested();
  if (!input) return std::nullopt;
  u8 vector = first_.acknowledge(*input);
  if (*input == kCascadeInput) {
    // The cascade's line follows the second chip's output, so that there is a request.
    if (const auto behind = second_.requested()) vector = second_.acknowledge(*behind);
  }
  update();
  return vector;
}

/// Carries the second chip's output to the first and publishes what follows. True when the output
/// went high.
bool PicPair::settle() {
  first_.set_line(kCascadeInput, second_.requested().has_value());
  u16 driven = static_cast<u16>(first_.enabled() & ~kCascadeBit);
  if ((first_.enabled() & kCascadeBit) != 0) {
    driven = static_cast<u16>(driven | second_.enabled() << I8259::kInputCount);
  }
  driven_.store(driven, std::memory_order_release);
  const bool high = first_.requested().has_value();
  return !output_high_.exchange(high, std::memory_order_acq_rel) && high;
}

void PicPair::update() {
  if (settle()) output_.interrupt_requested();
}

PicPair::State PicPair::save() const {
  const std::lock_guard guard(lock_);
  return {first_.state(), second_.state()};
}

void PicPair::restore(const State& state) {
  const std::lock_guard guard(lock_);
  first_.restore(state.first);
  second_.restore(state.second);
  settle();
}

}  // namespace mote
