// SPDX-License-Identifier: Apache-2.0
// One 8259A interrupt controller, as PicPair has two of them. Pure state; the pair holds the lock.
#pragma once

#include <optional>

#include "core/types.hpp"

namespace mote {

/// An 8259A [Intel 231468-003]: eight inputs, one output. It is silent until a program has
/// initialised it. Inputs are edge- or level-triggered one by one, as in chip sets with an ELCR
/// (ICW1's bit for all of them is ignored). Buffered mode and 8080 mode do not exist.
class I8259 {
 public:
  static constexpr u32 kInputCount = 8;

  /// All that program and devices can change; plain data.
  struct State {
    u8 lines = 0;       ///< levels of the inputs
    u8 latched = 0;     ///< edges seen and not yet acknowledged
    u8 level_mode = 0;  ///< inputs that are level-triggered
    u8 in_service = 0;
    u8 masked = 0xff;
    u8 vector_base = 0;
    u8 lowest = 7;    ///< the input of lowest priority; the next one has the highest
    u8 next_icw = 0;  ///< the initialisation word awaited (2..4), or 0
    bool skip_icw3 = false;
    bool skip_icw4 = false;
    bool initialised = false;
    bool auto_eoi = false;
    bool rotate_on_auto_eoi = false;
    bool fully_nested = false;  ///< special fully nested mode
    bool special_mask = false;
    bool reads_in_service = false;
    bool polled = false;  ///< the next read is an acknowledge cycle
    bool operator==(const State&) const = default;
  };

  /// `cascade` marks inputs with another 8259A behind them.
  explicit I8259(u8 cascade) : cascade_(cascade) { state_.level_mode = cascade; }

  /// The register at the even (false) or odd (true) address.
  u8 read(bool odd);
  void write(bool odd, u8 value);

  void set_line(u32 input, bool high);
  /// Chooses which inputs are level-triggered.
  void set_level_mode(u8 inputs) { state_.level_mode = inputs | cascade_; }
  u8 level_mode() const { return state_.level_mode & ~cascade_ & 0xff; }

  /// The input that would be served now; the output is high while there is one.
  std::optional<u32> requested() const;
  /// An acknowledge cycle for `input`, which was just requested. Returns its vector.
  u8 acknowledge(u32 input);
  /// Inputs that a request could get through, as far as this chip is concerned.
  u8 enabled() const { return is_ready() ? static_cast<u8>(~state_.masked) : u8{0}; }

  const State& state() const { return state_; }
  /// Takes any State.
  void restore(const State& state);

 private:
  bool is_ready() const { return state_.initialised && state_.next_icw == 0; }
  u8 requests() const;
  std::optional<u32> highest(u8 inputs) const;
  void write_icw1(u8 value);
  void write_ocw2(u8 value);
  void write_ocw3(u8 value);
  void write_initialisation(u8 value);
  u8 poll();

  const u8 cascade_;
  State state_;
};

}  // namespace mote
