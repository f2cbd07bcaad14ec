// SPDX-License-Identifier: Apache-2.0
// The console: the host's side of the serial port. Output is buffered by vCPU threads and written
// by the event loop; input is read by the event loop as the port has room for it.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "core/event_loop.hpp"
#include "core/loop_alarm.hpp"
#include "core/result.hpp"
#include "devices/minimal/serial.hpp"
#include "vmm/machine/console_end.hpp"
#include "vmm/machine/timeline.hpp"

namespace mote {

/// Connects one serial port to its end on the host. Its event
/// loop and timeline outlive it; it outlives the loop's last turn.
class Console final : public SerialOutput, public InputListener, private AlarmHandler {
 public:
  /// Nothing is read before `start`.
  Console(ConsoleEnd end, EventLoop& loop, Timeline& timeline);

  /// Called once, on the loop's thread, when the user types Ctrl-a x at a terminal.
  void set_escape(Completion escape) { escape_ = escape; }
  /// Begins to read input for `serial`. Before the loop runs or on its thread.
  void start(Serial& serial);
  /// Calls `done` when all output has been written, or at once when the reader is gone. The loop's
  /// thread, after the last vCPU has stopped.
  void finish(Completion done);

  // SerialOutput, on vCPU threads:
  std::size_t room() override;
  void put(std::span<const std::byte> bytes) override;
  // InputListener, on a vCPU thread:
  void on_input_room() override;

 private:
  /// Whose turn it is to write.
  enum class Output {
    kIdle,     ///< nothing waits
    kDelayed,  ///< the alarm will have the loop write what has come together until then
    kWriting,  ///< the loop is writing
  };

  std::size_t write_at_once(std::span<const std::byte> bytes);
  void on_alarm() override;
  void write_pending(i32);
  void on_written(i32 result);
  void feed_input(i32);
  void on_read(i32 result);
  void on_readable(i32);
  std::size_t filter_escapes(std::size_t count);

  EventLoop& loop_;
  Timeline& timeline_;
  ConsoleEnd end_;
  LoopAlarm alarm_;
  Serial* serial_ = nullptr;

  std::mutex lock_;  // guards the six below
  std::vector<std::byte> pending_;
  std::size_t unwritten_ = 0;  // of `writing_`
  Output state_ = Output::kIdle;
  u64 last_write_ns_ = 0;
  bool first_byte_seen_ = false;
  bool can_write_at_once_ = true;

  // The loop's thread only:
  std::vector<std::byte> writing_;
  std::array<std::byte, Serial::kReceiveFifo> input_buffer_{};
  std::vector<std::byte> input_waiting_;  // read, but not yet taken by the port
  bool reading_ = false;
  bool escape_begun_ = false;  // Ctrl-a was the last byte
  Completion escape_;
  Completion finished_;
};

}  // namespace mote
