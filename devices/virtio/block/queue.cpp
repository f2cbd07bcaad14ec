// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/block/queue.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mote::virtio {
namespace {

/// Requests that one look at the ring takes at most.
constexpr u32 kBurst = 128;
/// Buffered writes up to this size are made at once.
constexpr u64 kWriteNow = 256 * kKiB;
/// Bytes after which a look ends that writes at once, for the sake of the loop's other queues.
constexpr u64 kWriteNowBurst = kMiB;

const char* name(BlockOperation operation) {
  switch (operation) {
    case BlockOperation::kRead:
      return "read";
    case BlockOperation::kWrite:
      return "write";
    case BlockOperation::kFlush:
      return "flush";
    case BlockOperation::kDiscard:
      return "discard";
    case BlockOperation::kWriteZeroes:
      return "write zeroes";
    case BlockOperation::kGetId:
    case BlockOperation::kNone:
      break;
  }
  return "request";
}

bool moves_data(BlockOperation operation) {
  return operation == BlockOperation::kRead || operation == BlockOperation::kWrite;
}

/// Takes `done` bytes off the front.
void drop_front(iovec*& segments, u32& count, u64 done) {
  while (done > 0) {
    const u64 part = std::min<u64>(done, segments->iov_len);
    segments->iov_base = static_cast<std::byte*>(segments->iov_base) + part;
    segments->iov_len -= part;
    done -= part;
    if (segments->iov_len != 0) continue;
    ++segments;
    --count;
  }
}

}  // namespace

BlockQueue::BlockQueue(BlockDisk& disk, const BlockFiles& files, std::shared_ptr<QueueKick> kick)
    : QueueWorker(disk, std::move(kick)), disk_(disk), files_(files) {}

bool BlockQueue::begin_queue() {
  if (pool_.size() == queue().size()) return true;
  // Room for the largest request in each place. Untouched, it costs address space only.
  const std::size_t bytes = std::size_t{queue().size()} * disk_.max_segments * sizeof(iovec);
  auto room =
      Mapping::create(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                      -1, 0, "a disk's requests");
  if (!room) {
    log(LogLevel::kError, "%s: %s", disk_.title.c_str(), room.error().message().c_str());
    return false;
  }
  segments_ = *std::move(room);
  pool_.assign(queue().size(), {});
  free_.clear();
  for (Pending& request : pool_) free_.push_back(&request);
  return true;
}

void BlockQueue::hold() {
  loop().post(Completion::to<&BlockQueue::on_hold>(this));
}

void BlockQueue::go_on() {
  loop().post(Completion::to<&BlockQueue::on_go_on>(this));
}

void BlockQueue::on_hold(i32) {
  held_ = holder_waits_ = true;
  if (is_idle()) tell_holder();
}

void BlockQueue::on_go_on(i32) {
  held_ = false;
  tell_holder();
  if (is_running()) wake();
}

void BlockQueue::tell_holder() {
  if (std::exchange(holder_waits_, false)) disk_.holder->arrive();
}

bool BlockQueue::serve() {
  if (held_) return false;
  u32 taken = 0;
  written_now_ = 0;
  while (taken < kBurst && written_now_ < kWriteNowBurst && take_one()) ++taken;
  return taken > 0;
}

bool BlockQueue::take_one() {
  if (free_.empty() || !has_room() || !pop(chain())) return false;
  Pending& request = *free_.back();
  const std::size_t place = static_cast<std::size_t>(&request - pool_.data());
  const std::span room(reinterpret_cast<iovec*>(segments_.data()) + place * disk_.max_segments,
                       disk_.max_segments);
  const BlockLimits limits{.capacity = disk_.capacity.load(std::memory_order_relaxed),
                           .read_only = disk_.read_only,
                           .can_discard = disk_.can_discard,
                           .max_segments = disk_.max_segments};
  if (!parse_block_request(chain(), limits, room, request)) {
    give_up();
    return false;
  }
  request.owner = this;
  request.segments = room.data();
  request.left = request.length;
  request.fallback = false;
  if (!admits(disk_.limiter, moves_data(request.operation) ? request.length : 0)) {
    queue().unpop();
    return false;
  }
  free_.pop_back();
  begin(request);
  return true;
}

void BlockQueue::begin(Pending& request) {
  switch (request.operation) {
    case BlockOperation::kRead:
      return transfer(request);
    case BlockOperation::kWrite:
      // One that waits for the disk would keep all else on this loop waiting.
      if (!disk_.image.direct() && !disk_.write_through && request.length <= kWriteNow) {
        return write_now(request);
      }
      return transfer(request);
    case BlockOperation::kFlush:
      if (disk_.unsafe) return complete(request, BlockStatus::kOk);
      loop().sync(files_.image(), {&BlockQueue::on_done, &request});
      return;
    case BlockOperation::kDiscard:
    case BlockOperation::kWriteZeroes:
      return clear_range(request);
    case BlockOperation::kGetId: {
      std::array<char, kBlockIdSize> id{};
      std::memcpy(id.data(), disk_.id.data(), std::min(id.size(), disk_.id.size()));
      const u64 size = std::min<u64>(id.size(), chain().writable_size() - 1);
      const bool fits = scatter(chain().writable(), std::as_bytes(std::span(id)).first(size));
      request.length = size;
      return complete(request, fits ? BlockStatus::kOk : BlockStatus::kIoError);
    }
    case BlockOperation::kNone:
      return complete(request, request.status);
  }
}

void BlockQueue::transfer(Pending& request) {
  const std::span<const iovec> data(request.segments, request.segment_count);
  const bool straight = !files_.buffered() || disk_.image.is_aligned(data, request.offset);
  const FixedFile file = straight ? files_.image() : *files_.buffered();
  if (request.operation == BlockOperation::kRead) {
    loop().read_at(file, data, request.offset, {&BlockQueue::on_done, &request});
  } else {
    const int flags = disk_.write_through ? RWF_DSYNC : 0;
    loop().write_at(file, data, request.offset, flags, {&BlockQueue::on_done, &request});
  }
}

void BlockQueue::write_now(Pending& request) {
  written_now_ += request.length;
  const int fd = disk_.image.fd();
  const auto offset = static_cast<off_t>(request.offset);
  const iovec* data = request.segments;
  // One piece is what most requests have; the kernel is quicker without a list of them.
  const ssize_t result = request.segment_count == 1
                             ? ::pwrite(fd, data->iov_base, data->iov_len, offset)
                             : ::pwritev(fd, data, static_cast<int>(request.segment_count), offset);
  if (result == static_cast<ssize_t>(request.left)) return complete(request, BlockStatus::kOk);
  advance(request, result < 0 ? -errno : static_cast<i32>(result));
}

/// Holes read as zeros, so each way serves for the other where a file system lacks one.
void BlockQueue::clear_range(Pending& request) {
  const bool may_unmap = request.operation == BlockOperation::kDiscard || request.unmap;
  const int way = may_unmap != request.fallback ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
  loop().allocate(files_.image(), way | FALLOC_FL_KEEP_SIZE, request.offset, request.length,
                  {&BlockQueue::on_done, &request});
}

void BlockQueue::on_done(void* context, i32 result) {
  Pending& request = *static_cast<Pending*>(context);
  BlockQueue& self = *request.owner;
  if (result == static_cast<i64>(request.left) || (result == 0 && !moves_data(request.operation))) {
    self.complete(request, BlockStatus::kOk);
  } else {
    self.advance(request, result);
  }
  self.finished();
  if (self.holder_waits_ && self.is_idle()) self.tell_holder();
}

/// An operation that ended early or not well: goes on where it stopped, tries the other way, or
/// fails.
void BlockQueue::advance(Pending& request, i32 result) {
  if (result == -EINTR || result == -EAGAIN) {
    if (moves_data(request.operation)) return transfer(request);
    if (request.operation != BlockOperation::kFlush) return clear_range(request);
  }
  if (result == -EOPNOTSUPP && request.operation == BlockOperation::kWriteZeroes &&
      !request.fallback) {
    request.fallback = true;
    return clear_range(request);
  }
  if (result <= 0) return fail(request, result);
  const auto done = static_cast<u64>(result);
  request.offset += done;
  request.left -= done;
  drop_front(request.segments, request.segment_count, done);
  transfer(request);
}

void BlockQueue::fail(Pending& request, i32 error) {
  disk_.log_limiter.log(
      LogLevel::kError, "%s: cannot %s %lu bytes at %lu of '%s': %s -- the guest is told so",
      disk_.title.c_str(), name(request.operation), request.left, request.offset,
      disk_.image.path().c_str(), error == 0 ? "the file ends there" : strerrorname_np(-error));
  complete(request, error == -EOPNOTSUPP ? BlockStatus::kUnsupported : BlockStatus::kIoError);
}

void BlockQueue::count(const Pending& request, BlockStatus status) {
  if (status != BlockStatus::kOk) {
    counters_.error_count.add();
  } else if (request.operation == BlockOperation::kRead) {
    counters_.read_count.add();
    counters_.read_bytes.add(request.length);
  } else if (request.operation == BlockOperation::kWrite) {
    counters_.write_count.add();
    counters_.write_bytes.add(request.length);
  } else if (request.operation == BlockOperation::kFlush) {
    counters_.flush_count.add();
  }
}

void BlockQueue::complete(Pending& request, BlockStatus status) {
  // One byte that was there when the request was read: it cannot fail.
  static_cast<void>(request.status_byte.store(0, static_cast<u8>(status)));
  const bool filled = status == BlockStatus::kOk && (request.operation == BlockOperation::kRead ||
                                                     request.operation == BlockOperation::kGetId);
  count(request, status);
  queue().push(request.head, filled ? static_cast<u32>(request.length) + 1 : 1);
  free_.push_back(&request);
}

}  // namespace mote::virtio
