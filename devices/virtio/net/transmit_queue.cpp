// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/net/transmit_queue.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mote::virtio {
namespace {

/// Frames that one look at the ring takes at most: what the loop submits in one call. Their copies
/// then stay in the processor's cache from one look to the next.
constexpr u32 kBurst = 64;

Result<Mapping> zeroed(std::size_t size) {
  return Mapping::create(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                         -1, 0, "a network device's frames");
}

}  // namespace

bool NetTransmitQueue::begin_queue() {
  if (size_ == queue().size()) return true;
  // Untouched, both cost address space only.
  const std::size_t size = queue().size();
  auto frames = zeroed(size * sizeof(Frame));
  auto pieces = zeroed(size * (size + 1) * sizeof(iovec));
  if (!frames || !pieces) {
    log(LogLevel::kError, "%s: %s", device_.title.c_str(),
        (frames ? pieces : frames).error().message().c_str());
    return false;
  }
  frames_ = *std::move(frames);
  many_pieces_ = *std::move(pieces);
  size_ = queue().size();
  free_.clear();
  for (u32 place = 0; place < size_; ++place) free_.push_back(place);
  return true;
}

bool NetTransmitQueue::serve() {
  u32 taken = 0;
  while (taken < kBurst && take_one()) ++taken;
  return taken > 0;
}

bool NetTransmitQueue::take_one() {
  if (free_.empty() || !has_room() || !pop(chain())) return false;
  const u32 place = free_.back();
  Frame& frame = at(place);
  if (!read(frame)) return drop();
  if (!admits(device_.transmit_limiter, frame.size - sizeof(NetHeader))) {
    queue().unpop();
    return false;
  }
  free_.pop_back();
  frame.owner = this;
  frame.place = place;
  frame.head = chain().head();
  frame.in_flight = true;
  send(frame);
  return true;
}

bool NetTransmitQueue::drop() {
  queue().push(chain().head(), 0);
  counters_.dropped.add();
  return true;
}

/// Reads what `chain` holds. False when it is no frame that may go out.
bool NetTransmitQueue::read(Frame& frame) {
  const u64 size = chain().readable_size();
  if (size < sizeof(NetHeader) + kMinFrameSize || size > sizeof(NetHeader) + kMaxFrameSize ||
      !device_.link_up.load(std::memory_order_relaxed)) {
    return false;
  }
  frame.size = static_cast<u32>(size);
  const bool is_short = size <= Frame::kCopied;
  const auto copy = std::span(frame.bytes).first(is_short ? size : sizeof(NetHeader));
  NetHeader header;
  if (!gather(chain().readable(), copy)) return false;
  std::memcpy(&header, copy.data(), sizeof(header));
  if (!may_send(header, size - sizeof(header), device_.rules)) return false;
  std::memcpy(frame.bytes.data(), &header, sizeof(header));
  frame.piece_count = 0;
  if (is_short) return true;

  const std::span<const GuestSlice> segments = chain().readable();
  const bool many = segments.size() >= Frame::kPieceCount;
  frame.pieces = reinterpret_cast<iovec*>(
      many ? many_pieces_.data() + std::size_t{free_.back()} * (size_ + 1) * sizeof(iovec)
           : frame.bytes.data() + Frame::kPieces);
  frame.pieces[frame.piece_count++] = {frame.bytes.data(), sizeof(NetHeader)};
  u64 skip = sizeof(NetHeader);
  for (const GuestSlice& segment : segments) {
    const u64 skipped = std::min(skip, segment.size());
    skip -= skipped;
    const auto part = segment.part(skipped, segment.size() - skipped);
    if (part && part->size() > 0) frame.pieces[frame.piece_count++] = part->as_iovec();
  }
  return true;
}

void NetTransmitQueue::send(Frame& frame) {
  const Completion completion{&NetTransmitQueue::on_sent, &frame};
  frame.operation =
      frame.piece_count == 0
          ? loop().write(file_, std::span<const std::byte>(frame.bytes).first(frame.size),
                         completion)
          : loop().write(file_, std::span<const iovec>(frame.pieces, frame.piece_count),
                         completion);
}

void NetTransmitQueue::on_sent(void* context, i32 result) {
  Frame& frame = *static_cast<Frame*>(context);
  NetTransmitQueue& self = *frame.owner;
  if (result == -EAGAIN) {
    // The ring could not wait for a descriptor that does not block.
    frame.operation = self.loop().poll(self.fd_, POLLOUT, {&NetTransmitQueue::on_room, context});
  } else if (result == -EINTR) {
    self.send(frame);
  } else {
    self.complete(frame, result >= 0);
  }
}

void NetTransmitQueue::on_room(void* context, i32 result) {
  Frame& frame = *static_cast<Frame*>(context);
  if (result < 0) return frame.owner->complete(frame, false);
  frame.owner->send(frame);
}

void NetTransmitQueue::complete(Frame& frame, bool sent) {
  if (sent) {
    counters_.add_frame(frame.size - sizeof(NetHeader));
  } else {
    counters_.dropped.add();
  }
  frame.in_flight = false;
  queue().push(frame.head, 0);
  free_.push_back(frame.place);
  finished();
}

/// A host that has no room may never have any.
void NetTransmitQueue::end_queue() {
  for (u32 place = 0; place < size_ && !is_idle(); ++place) {
    if (at(place).in_flight) loop().cancel(at(place).operation);
  }
}

}  // namespace mote::virtio
