// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/console.hpp"

#include <poll.h>
#include <pty.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/clock.hpp"
#include "core/log.hpp"

namespace mote {
namespace {

/// How much output may wait for a slow reader before the guest is told to wait.
constexpr std::size_t kOutputCapacity = 64 * kKiB;
/// How much typed input may wait for a guest that takes none; what is typed beyond is lost.
constexpr std::size_t kInputCapacity = 4 * kKiB;
/// How long output may be held back to be written with what follows.
constexpr u64 kBatchNs = 1'000'000;
constexpr std::byte kCtrlA{0x01};

}  // namespace

Console::Console(ConsoleEnd end, EventLoop& loop, Timeline& timeline)
    : loop_(loop), timeline_(timeline), end_(std::move(end)), alarm_(loop) {
  alarm_.set_handler(*this);
}

void Console::start(Serial& serial) {
  serial_ = &serial;
  serial.set_input_listener(*this);
  if (end_.input >= 0) feed_input(0);
}

void Console::finish(Completion done) {
  Output before{};
  {
    const std::lock_guard lock(lock_);
    before = state_;
    if (state_ == Output::kDelayed) state_ = Output::kWriting;
  }
  finished_ = done;
  if (before == Output::kIdle) done.function(done.context, 0);
  if (before == Output::kDelayed) write_pending(0);
}

std::size_t Console::room() {
  const std::lock_guard lock(lock_);
  const std::size_t waiting = pending_.size() + unwritten_;
  return waiting < kOutputCapacity ? kOutputCapacity - waiting : 0;
}

/// The first byte after a pause goes out at once. Those that follow closely are collected for the
/// length of a batch: one write and one wake-up of the reader for many bytes.
void Console::put(std::span<const std::byte> bytes) {
  const std::lock_guard lock(lock_);
  if (!std::exchange(first_byte_seen_, true)) timeline_.mark("first serial byte");
  if (end_.output < 0) return;
  if (state_ == Output::kIdle && clock_ns(CLOCK_MONOTONIC_COARSE) - last_write_ns_ >= kBatchNs) {
    bytes = bytes.subspan(write_at_once(bytes));
  }
  if (bytes.empty()) return;
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  if (state_ != Output::kIdle) return;
  state_ = Output::kDelayed;
  alarm_.arm(alarm_.now_ns() + kBatchNs);
}

void Console::on_alarm() {
  {
    const std::lock_guard lock(lock_);
    if (state_ != Output::kDelayed) return;
    state_ = Output::kWriting;
  }
  write_pending(0);
}

/// Writes what can be written without waiting, and returns how much that was. Spares the loop's
/// wake-up, which costs more than the write; where the host's kernel cannot promise not to wait,
/// the loop writes all.
std::size_t Console::write_at_once(std::span<const std::byte> bytes) {
  if (!can_write_at_once_) return 0;
  const iovec vector = {const_cast<std::byte*>(bytes.data()), bytes.size()};
  constexpr off_t kOwnPosition = -1;
  last_write_ns_ = clock_ns(CLOCK_MONOTONIC_COARSE);
  const ssize_t written = ::pwritev2(end_.output, &vector, 1, kOwnPosition, RWF_NOWAIT);
  if (written >= 0) return static_cast<std::size_t>(written);
  // Errors of the reader's are for the loop to meet and to report.
  if (errno != EAGAIN && errno != EINTR) can_write_at_once_ = false;
  return 0;
}

void Console::write_pending(i32) {
  {
    const std::lock_guard lock(lock_);
    last_write_ns_ = clock_ns(CLOCK_MONOTONIC_COARSE);
    if (unwritten_ == 0) {
      writing_.clear();
      std::swap(writing_, pending_);
      unwritten_ = writing_.size();
    }
  }
  loop_.write(end_.output, std::span(writing_).last(unwritten_),
              Completion::to<&Console::on_written>(this));
}

void Console::on_written(i32 result) {
  bool more = false;
  {
    const std::lock_guard lock(lock_);
    if (result == -EINTR || result == -EAGAIN) {
      more = true;
    } else if (result <= 0) {
      // The reader is gone or the disk is full: the guest goes on without a console.
      log(LogLevel::kWarn, "serial output is lost from here on: %s", strerrordesc_np(-result));
      end_.output = -1;
      unwritten_ = 0;
      pending_.clear();
    } else {
      unwritten_ -= static_cast<std::size_t>(result);
      more = unwritten_ > 0 || !pending_.empty();
    }
    if (!more) state_ = Output::kIdle;
  }
  if (result == -EAGAIN) {  // somebody made the descriptor non-blocking
    loop_.poll(end_.output, POLLOUT, Completion::to<&Console::write_pending>(this));
  } else if (more) {
    write_pending(0);
  }
  serial_->output_drained();
  if (!more && finished_.function != nullptr) finished_.function(finished_.context, 0);
}

void Console::on_input_room() {
  loop_.post(Completion::to<&Console::feed_input>(this));
}

/// Gives the port what it has room for, and reads on when it could take more. At a terminal it
/// reads in any case: Ctrl-a x has to be seen also while the guest takes no input.
void Console::feed_input(i32) {
  bool has_room = true;
  while (has_room && !input_waiting_.empty()) {
    const std::size_t count = std::min(serial_->input_room(), input_waiting_.size());
    serial_->receive(std::span(input_waiting_).first(count));
    input_waiting_.erase(input_waiting_.begin(),
                         input_waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    has_room = count > 0;
  }
  if (reading_ || end_.input < 0) return;
  if (!end_.is_terminal && (!has_room || serial_->input_room() == 0))
    return;  // on_input_room follows
  reading_ = true;
  loop_.read(end_.input, input_buffer_, Completion::to<&Console::on_read>(this));
}

void Console::on_read(i32 result) {
  reading_ = false;
  if (result > 0) {
    const std::size_t count = filter_escapes(static_cast<std::size_t>(result));
    if (input_waiting_.size() + count <= kInputCapacity) {
      input_waiting_.insert(input_waiting_.end(), input_buffer_.begin(),
                            input_buffer_.begin() + count);
    }
  } else if (result == -EAGAIN) {  // somebody made the descriptor non-blocking
    reading_ = true;
    loop_.poll(end_.input, POLLIN, Completion::to<&Console::on_readable>(this));
    return;
  } else if (result != -EINTR) {
    end_.input = -1;  // end of input, or nothing there to read from
  }
  feed_input(0);
}

void Console::on_readable(i32) {
  reading_ = false;
  feed_input(0);
}

/// Takes Ctrl-a x out of what was typed, and makes Ctrl-a Ctrl-a one Ctrl-a. Returns what is left.
std::size_t Console::filter_escapes(std::size_t count) {
  if (!end_.is_terminal) return count;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte byte = input_buffer_[i];
    if (!escape_begun_ && byte == kCtrlA) {
      escape_begun_ = true;
      continue;
    }
    if (std::exchange(escape_begun_, false) && byte == std::byte{'x'}) {
      if (escape_.function != nullptr) escape_.function(escape_.context, 0);
      continue;
    }
    input_buffer_[kept++] = byte;
  }
  return kept;
}

}  // namespace mote
