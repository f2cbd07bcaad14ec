// SPDX-License-Identifier: Apache-2.0
// The serial port, a 16550A. Registers are for vCPU threads, input and `output_drained` for the
// event loop's.
#pragma once

#include <array>
#include <mutex>

#include "core/irq_line.hpp"
#include "devices/minimal/byte_device.hpp"
#include "devices/minimal/reg_bits.hpp"

namespace mote {

/// The buffer towards the host. Called under the port's lock from vCPU threads: thread-safe, never
/// blocks, never calls the port back. It must be able to hold at least `Serial::kTransmitFifo`
/// bytes, for the guest is told to wait while there is room for fewer.
class SerialOutput {
 public:
  virtual ~SerialOutput() = default;
  /// Bytes that `put` would take now.
  virtual std::size_t room() = 0;
  /// Takes all of `bytes`; never more than there was room for.
  virtual void put(std::span<const std::byte> bytes) = 0;
};

/// Told once, after `input_room` has answered 0, when the guest has made room. Called on the vCPU
/// thread that did, without the port's lock; it must not block.
class InputListener {
 public:
  virtual ~InputListener() = default;
  virtual void on_input_room() = 0;
};

/// A 16550A at eight ports [PC16550D, National Semiconductor, June 1995].
///
/// Output: the line status says that the transmitter is empty while the host has room for a whole
/// FIFO. When the host reads slowly it is not, and the guest waits or is interrupted later; a guest
/// that keeps to this never loses a byte, and no vCPU ever blocks.
/// Input: taken only as the receive FIFO has room, and only while the guest is ready for it: it
/// asserts RTS, or has the receive interrupt enabled, or has been polling the line status. Drivers
/// empty the FIFO when they start, and what was typed before waits for them at the host. The
/// interrupt comes as soon as there is data (as "character timeout" below the trigger level).
///
/// LIMIT: no break, no line errors but overrun in loop-back; OUT2 does not gate the interrupt.
/// One lock; under it the interrupt controllers and the SerialOutput are called.
class Serial final : public ByteDevice {
 public:
  static constexpr u16 kPortCount = 8;
  static constexpr std::size_t kTransmitFifo = 16;
  /// Larger than the chip's sixteen, which no driver can tell apart except in loop-back.
  static constexpr std::size_t kReceiveFifo = 64;

  using Ier = RegBits<struct IerTag, u8>;
  using Fcr = RegBits<struct FcrTag, u8>;
  using Lcr = RegBits<struct LcrTag, u8>;
  using Mcr = RegBits<struct McrTag, u8>;
  using Lsr = RegBits<struct LsrTag, u8>;
  using Msr = RegBits<struct MsrTag, u8>;

  /// All that the guest can change; plain data. The level of the interrupt line follows from it.
  struct State {
    Ier ier;
    Fcr fcr;
    Lcr lcr;
    Mcr mcr;
    Lsr errors;   ///< error bits not yet read
    Msr changes;  ///< change bits not yet read
    u8 scratch = 0;
    u16 divisor = 12;            ///< 9600 baud, as firmware leaves it
    bool empty_pending = false;  ///< "transmitter empty" is to be reported as an interrupt
    bool short_of_room = false;  ///< the guest was told that the transmitter is not empty
    u8 idle_polls = 0;           ///< reads of the line status since the last byte sent
    u8 received_count = 0;
    std::array<u8, kReceiveFifo> received{};  ///< oldest first
    bool operator==(const State&) const = default;
  };

  /// Bytes since the port was made.
  struct Counters {
    u64 sent = 0;
    u64 send_dropped = 0;  ///< written by a guest that did not wait
    u64 received = 0;
    u64 receive_dropped = 0;  ///< lost to a full FIFO
  };

  Serial(IrqLine& irq, SerialOutput& output) : irq_(irq), output_(output) {}

  /// Before the first vCPU runs.
  void set_input_listener(InputListener& listener) { listener_ = &listener; }

  std::string_view name() const override { return "serial"; }

  /// How many bytes `receive` may be given now. After a 0 the listener is told when to ask again.
  std::size_t input_room();
  /// Puts bytes from the host into the FIFO. The loop's thread, which asked `input_room` before.
  void receive(std::span<const std::byte> bytes);
  /// The host has taken output. The loop's thread, without a lock of the SerialOutput's.
  void output_drained();

  Counters counters() const;
  State save() const;
  /// Takes any State: counts are clamped, bits that do not exist are dropped. Does not touch the
  /// interrupt line: its level is part of the interrupt controllers' state.
  void restore(const State& state);

 private:
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;

  u8 read_register(u64 offset);
  void write_register(u64 offset, u8 value);
  void write_fcr(Fcr value);
  void write_ier(Ier value);
  void write_mcr(Mcr value);
  void transmit(u8 value);
  bool transmitter_empty();
  u8 take_received();
  void push_received(u8 value);
  u8 interrupt_cause() const;
  u8 read_cause();
  Lsr line_status();
  Msr modem_inputs() const;
  bool is_ready_for_input() const;
  bool input_wish_granted();
  void update_line();

  IrqLine& irq_;
  SerialOutput& output_;
  InputListener* listener_ = nullptr;

  mutable std::mutex lock_;
  State state_;
  Counters counters_;
  bool line_high_ = false;
  bool input_wished_ = false;
};

}  // namespace mote
