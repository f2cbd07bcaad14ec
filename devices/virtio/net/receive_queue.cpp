// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/net/receive_queue.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mote::virtio {
namespace {

/// Frames that one turn hands over at most.
constexpr u32 kBurst = 128;
/// Frames that are read ahead.
constexpr u16 kBuffers = 128;

/// A stream is what brings this many frames in this time, and few are sent meanwhile. Whoever sends
/// it does not wait for each: it is received in batches, at the price of so much time.
constexpr u64 kWindowNs = 500'000;
constexpr u64 kStreamFrames = 15;
constexpr u64 kStreamPerSent = 4;
constexpr u64 kLingerNs = 100'000;

}  // namespace

Result<std::unique_ptr<NetReceiveQueue>> NetReceiveQueue::create(NetDevice& device, int fd,
                                                                 std::string port,
                                                                 const NetCounters& transmitted,
                                                                 std::shared_ptr<QueueKick> kick) {
  std::unique_ptr<NetReceiveQueue> queue(
      new NetReceiveQueue(device, std::move(port), transmitted, std::move(kick)));
  queue->reader_ = TRY(FrameReader::create(
      queue->loop(), {.fd = fd, .buffers = kBuffers, .size = sizeof(NetHeader) + kMaxFrameSize},
      *queue));
  return queue;
}

bool NetReceiveQueue::begin_queue() {
  filled_.reserve(queue().size());
  if (std::exchange(epoch_, device_.epoch) != device_.epoch) {
    // They came for the driver that was there before the reset.
    while (wants_more()) reader_->drop_front();
    reader_->refill();
    admitted_ = false;
  }
  if (active_) reader_->start();
  return true;
}

void NetReceiveQueue::end_queue() {
  reader_->stop();
  take_back();
}

FrameReader::Frames NetReceiveQueue::save_frames() const {
  return epoch_ == device_.epoch ? reader_->save() : FrameReader::Frames();
}

void NetReceiveQueue::restore_frames(FrameReader::Frames frames) {
  epoch_ = device_.epoch;
  admitted_ = false;
  reader_->restore(std::move(frames));
}

void NetReceiveQueue::set_active(bool active) {
  if (active_.exchange(active) == active) return;
  loop().post(Completion::to<&NetReceiveQueue::on_active_changed>(this));
}

void NetReceiveQueue::on_active_changed(i32) {
  if (!active_) {
    reader_->stop();
  } else if (is_running()) {
    reader_->start();
  }
}

void NetReceiveQueue::on_frame() {
  if (is_running()) wake();
}

/// Somebody may be waiting for it.
void NetReceiveQueue::on_read_stopped() {
  if (is_running()) finished();
}

void NetReceiveQueue::on_read_failed(i32 error) {
  device_.log_limiter.log(
      LogLevel::kError, "%s: cannot read frames from '%s': %s -- the guest gets none",
      device_.title.c_str(), port_.c_str(), error == 0 ? "it was closed" : strerrorname_np(-error));
}

bool NetReceiveQueue::serve() {
  u32 done = 0;
  while (done < kBurst && wants_more() && deliver(reader_->front())) {
    reader_->drop_front();
    admitted_ = false;
    ++done;
  }
  if (done == 0) return false;
  reader_->refill();
  note_rate(done);
  return true;
}

void NetReceiveQueue::note_rate(u32 frames) {
  window_frames_ += frames;
  const u64 now = now_ns();
  const u64 passed = now - window_start_ns_;
  if (passed >= kWindowNs) {
    const u64 sent = transmitted_.frames.value();
    is_stream_ = window_frames_ * kWindowNs >= kStreamFrames * passed &&
                 window_frames_ >= kStreamPerSent * (sent - window_sent_);
    window_start_ns_ = now;
    window_frames_ = 0;
    window_sent_ = sent;
  }
  if (is_stream_) loop().linger(kLingerNs);
}

/// Hands over one frame, header and all, or drops it. False when it has to wait.
bool NetReceiveQueue::deliver(std::span<std::byte> frame) {
  NetHeader header;
  if (frame.size() < sizeof(header)) return drop();
  std::memcpy(&header, frame.data(), sizeof(header));
  if (!may_receive(header, frame.size() - sizeof(header), device_.rules) ||
      !device_.link_up.load(std::memory_order_relaxed)) {
    return drop();
  }
  if (!admitted_ && !admits(device_.receive_limiter, frame.size() - sizeof(header))) return false;
  admitted_ = true;
  header.num_buffers = 1;
  std::memcpy(frame.data(), &header, sizeof(header));
  const bool mergeable = (device_.rules.features & net_feature::kMrgRxbuf) != 0;
  return mergeable ? fill_many(header, frame) : fill_one(frame);
}

bool NetReceiveQueue::fill_one(std::span<std::byte> frame) {
  if (!pop(chain())) return false;
  if (!scatter(chain().writable(), frame)) {
    queue().unpop();
    return drop();
  }
  queue().push(chain().head(), static_cast<u32>(frame.size()));
  counters_.add_frame(frame.size() - sizeof(NetHeader));
  return true;
}

/// Takes chains until they hold all of the frame, and only then shows them to the driver
/// [Virtio 1.2 5.1.6.4.1]. What is missing may come later.
bool NetReceiveQueue::fill_many(NetHeader& header, std::span<std::byte> frame) {
  while (copied_ < frame.size()) {
    if (filled_.size() == queue().size()) return drop();
    Chain& into = filled_.empty() ? first_ : chain();
    if (!pop(into)) return false;
    const auto part = frame.subspan(copied_);
    const auto piece = part.first(std::min<u64>(part.size(), into.writable_size()));
    // The first has to hold the header at least [Virtio 1.2 5.1.6.3.1].
    if (piece.empty() || copied_ + piece.size() < sizeof(header) ||
        !scatter(into.writable(), piece)) {
      give_up();
      return false;
    }
    filled_.push_back({into.head(), static_cast<u32>(piece.size())});
    copied_ += piece.size();
  }
  if (filled_.size() > 1) {
    header.num_buffers = static_cast<u16>(filled_.size());
    static_cast<void>(scatter(first_.writable(), std::as_bytes(std::span(&header, 1))));
  }
  for (const Filled& chain : filled_) queue().push(chain.head, chain.size);
  filled_.clear();
  copied_ = 0;
  counters_.add_frame(frame.size() - sizeof(NetHeader));
  return true;
}

bool NetReceiveQueue::drop() {
  take_back();
  counters_.dropped.add();
  return true;
}

/// Chains that hold part of a frame are available again.
void NetReceiveQueue::take_back() {
  queue().unpop(static_cast<u16>(filled_.size()));
  filled_.clear();
  copied_ = 0;
}

}  // namespace mote::virtio
