// SPDX-License-Identifier: Apache-2.0
#include "core/frame_reader.hpp"

#include <poll.h>

#include <cerrno>
#include <utility>

#include "core/check.hpp"

namespace mote {

FrameReader::FrameReader(EventLoop& loop, const Options& options, BufferRing buffers,
                         FrameListener& listener)
    : loop_(loop),
      listener_(listener),
      fd_(options.fd),
      buffers_(std::move(buffers)),
      frames_(options.buffers) {}

Result<std::unique_ptr<FrameReader>> FrameReader::create(EventLoop& loop, const Options& options,
                                                         FrameListener& listener) {
  BufferRing buffers = TRY(BufferRing::create(options.buffers, options.size));
  std::unique_ptr<FrameReader> reader(new FrameReader(loop, options, std::move(buffers), listener));
  if (options.multishot) reader->multishot_ = TRY(loop.add_buffers(reader->buffers_));
  for (u16 buffer = 0; buffer < options.buffers; ++buffer) reader->buffers_.give(buffer);
  reader->buffers_.publish();
  return reader;
}

void FrameReader::start() {
  wanted_ = true;
  read_on();
}

void FrameReader::stop() {
  wanted_ = false;
  if (reading_) loop_.cancel(operation_);
}

std::span<std::byte> FrameReader::front() {
  if (!restored_.empty()) return restored_[restored_first_];
  if (count_ == 0) return {};
  const Frame& frame = frames_[first_];
  return buffers_.buffer(frame.buffer).first(frame.size);
}

void FrameReader::drop_front() {
  if (!restored_.empty()) {
    if (++restored_first_ == restored_.size()) forget();
    return;
  }
  CHECK(count_ > 0, "there is a frame to drop");
  buffers_.give(frames_[first_].buffer);
  first_ = (first_ + 1) & (buffers_.count() - 1u);
  --count_;
}

void FrameReader::refill() {
  buffers_.publish();
  read_on();
}

/// Of what was restored, gives the memory back too.
void FrameReader::forget() {
  restored_ = {};
  restored_first_ = 0;
}

FrameReader::Frames FrameReader::save() const {
  Frames frames(restored_.begin() + restored_first_, restored_.end());
  for (u32 i = 0; i < count_; ++i) {
    const Frame& frame = frames_[(first_ + i) & (buffers_.count() - 1u)];
    const auto bytes = buffers_.buffer(frame.buffer).first(frame.size);
    frames.emplace_back(bytes.begin(), bytes.end());
  }
  return frames;
}

void FrameReader::restore(Frames frames) {
  forget();
  while (count_ > 0) drop_front();
  buffers_.publish();
  if (frames.size() > buffers_.count()) frames.resize(buffers_.count());
  std::erase_if(frames, [this](const auto& frame) {
    return frame.empty() || frame.size() > buffers_.buffer(0).size();
  });
  restored_ = std::move(frames);
}

void FrameReader::read_on() {
  if (!wanted_ || reading_ || count_ == buffers_.count() || !restored_.empty()) return;
  reading_ = true;
  if (multishot_) {
    operation_ = loop_.read_on(fd_, buffers_, *this);
  } else {
    // Buffers are filled in the order of their numbers, here too.
    const u32 next = (first_ + count_) & (buffers_.count() - 1u);
    operation_ = loop_.read(fd_, buffers_.buffer(static_cast<u16>(next)),
                            Completion::to<&FrameReader::on_single>(this));
  }
}

void FrameReader::on_read(u16 buffer, u32 size) {
  CHECK(count_ < buffers_.count(), "the kernel fills buffers that it was given");
  frames_[(first_ + count_) & (buffers_.count() - 1u)] = {buffer, size};
  ++count_;
  listener_.on_frame();
}

void FrameReader::on_read_end(i32 result) {
  reading_ = false;
  if (!wanted_) return listener_.on_read_stopped();
  switch (result) {
    case -EAGAIN:
      // Where the ring cannot wait for a descriptor that does not block, a read says so.
      reading_ = true;
      operation_ = loop_.poll(fd_, POLLIN, Completion::to<&FrameReader::on_read_end>(this));
      return;
    case -EINTR:
    case -ECANCELED:
    case -ENOBUFS:
      return read_on();
    default:
      if (result > 0) return read_on();
      wanted_ = false;
      listener_.on_read_failed(result);
  }
}

void FrameReader::on_single(i32 result) {
  if (result > 0) {
    on_read(static_cast<u16>((first_ + count_) & (buffers_.count() - 1u)),
            static_cast<u32>(result));
  }
  on_read_end(result);
}

}  // namespace mote
