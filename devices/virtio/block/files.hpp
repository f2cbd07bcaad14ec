// SPDX-License-Identifier: Apache-2.0
// A disk's image in one loop's table of fixed files, where another may take its place.
#pragma once

#include <array>
#include <optional>

#include "core/event_loop.hpp"
#include "core/result.hpp"
#include "devices/virtio/block/image.hpp"
#include "devices/virtio/device.hpp"

namespace mote::virtio {

/// Shared by the disk's queues on that loop, which outlives it.
class BlockFiles {
 public:
  /// Places that it takes in the table at most.
  static constexpr u32 kMost = 2;

  explicit BlockFiles(EventLoop& loop) : loop_(loop) {}
  BlockFiles(const BlockFiles&) = delete;
  BlockFiles& operator=(const BlockFiles&) = delete;

  /// Before the loop runs.
  Result<void> add(const BlockImage& image);
  /// Has the loop put `image`, as direct as the one before, in that one's place and calls
  /// `done.arrive()` then. Nothing is in flight on the disk. Any thread, one at a time.
  void exchange(const BlockImage& image, Countdown& done);
  /// An errno when the last exchange did not succeed, else 0: after its `arrive`.
  int error() const { return error_; }

  FixedFile image() const { return *places_[0]; }
  /// For what is not aligned, when `image` is direct.
  std::optional<FixedFile> buffered() const { return places_[1]; }

 private:
  void on_exchange(i32);
  void on_updated(i32 result);

  EventLoop& loop_;
  std::array<std::optional<FixedFile>, kMost> places_;

  // The exchange under way.
  std::array<int, kMost> fds_{};
  u32 missing_ = 0;  // answers of the kernel's
  int error_ = 0;
  Countdown* done_ = nullptr;
};

}  // namespace mote::virtio
