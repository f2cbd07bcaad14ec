// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/block/block.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "core/check.hpp"
#include "core/text.hpp"

namespace mote::virtio {
namespace {

// Feature bits [Virtio 1.2 5.2.3].
constexpr u64 kSizeMax = u64{1} << 1;
constexpr u64 kSegMax = u64{1} << 2;
constexpr u64 kReadOnly = u64{1} << 5;
constexpr u64 kBlkSize = u64{1} << 6;
constexpr u64 kFlush = u64{1} << 9;
constexpr u64 kTopology = u64{1} << 10;
constexpr u64 kConfigWce = u64{1} << 11;
constexpr u64 kMultiQueue = u64{1} << 12;
constexpr u64 kDiscard = u64{1} << 13;
constexpr u64 kWriteZeroes = u64{1} << 14;

/// The configuration space [Virtio 1.2 5.2.4].
struct [[gnu::packed]] Config {
  u64 capacity;  // sectors
  u32 size_max;
  u32 seg_max;
  u8 geometry[4];
  u32 blk_size;
  u8 physical_block_exp;
  u8 alignment_offset;
  u16 min_io_size;  // blocks
  u32 opt_io_size;
  u8 writeback;
  u8 unused0;
  u16 num_queues;
  u32 max_discard_sectors;
  u32 max_discard_seg;
  u32 discard_sector_alignment;
  u32 max_write_zeroes_sectors;
  u32 max_write_zeroes_seg;
  u8 write_zeroes_may_unmap;
  u8 unused1[3];
};
static_assert(sizeof(Config) == 60);

/// Segments of data in one request: header and status take a descriptor each, also of a driver that
/// has no indirect ones.
u32 max_segments(u16 queue_size) {
  constexpr u32 kMost = 254;
  CHECK(queue_size >= 4, "the least queue holds a request of two segments");
  return std::min<u32>(queue_size - 2u, kMost);
}

}  // namespace

Block::Block(const BlockOptions& options, const GuestMemory& memory, BlockImage image,
             EventLoop& loop)
    : loop_(loop),
      disk_(memory, std::move(image)),
      queue_size_(options.queue_size),
      direct_(disk_.image.direct()),
      block_size_(disk_.image.block_size()),
      physical_block_size_(disk_.image.physical_block_size()) {
  disk_.id = options.id;
  disk_.title = "disk " + options.id;
  disk_.holder = &drain_;
  disk_.unsafe = options.unsafe;
  disk_.max_segments = max_segments(options.queue_size);
  disk_.limiter.change({.bytes = options.bytes, .operations = options.operations});
}

Result<std::unique_ptr<Block>> Block::create(const BlockOptions& options, BlockImage image,
                                             const GuestMemory& memory,
                                             std::span<EventLoop* const> loops) {
  std::unique_ptr<Block> block(new Block(options, memory, std::move(image), *loops.front()));
  block->disk_.capacity = TRY(block->disk_.image.size());
  for (u32 i = 0; i < std::min<std::size_t>(options.queues, loops.size()); ++i) {
    block->files_.push_back(std::make_unique<BlockFiles>(*loops[i]));
    TRY(block->files_.back()->add(block->disk_.image));
  }
  for (u32 i = 0; i < options.queues; ++i) {
    const std::size_t loop = i % loops.size();
    auto kick = std::make_shared<QueueKick>(*loops[loop], TRY(EventFd::create()));
    block->queues_.push_back(
        std::make_unique<BlockQueue>(block->disk_, *block->files_[loop], std::move(kick)));
  }
  return block;
}

u64 Block::features() const {
  return kSizeMax | kSegMax | kBlkSize | kTopology | kFlush | kConfigWce |
         (disk_.read_only ? kReadOnly : 0) | (disk_.can_discard ? kDiscard | kWriteZeroes : 0) |
         (queues_.size() > 1 ? kMultiQueue : 0);
}

void Block::read_config(u64 offset, std::span<std::byte> data) {
  const u32 range = disk_.can_discard ? kMaxRangeSectors : 0;
  const u32 ranges = disk_.can_discard ? 1 : 0;
  Config config{};
  config.size_max = kMaxSegmentSize;
  config.seg_max = disk_.max_segments;
  config.blk_size = block_size_;
  config.physical_block_exp =
      static_cast<u8>(std::countr_zero(physical_block_size_) - std::countr_zero(block_size_));
  config.min_io_size = static_cast<u16>(physical_block_size_ / block_size_);
  config.num_queues = static_cast<u16>(queues_.size());
  config.max_discard_sectors = config.max_write_zeroes_sectors = range;
  config.max_discard_seg = config.max_write_zeroes_seg = ranges;
  config.discard_sector_alignment = physical_block_size_ / kSectorSize;
  config.write_zeroes_may_unmap = disk_.can_discard ? 1 : 0;
  {
    const std::lock_guard guard(lock_);
    config.capacity = disk_.capacity / kSectorSize;
    config.writeback = write_back_ ? 1 : 0;
  }
  std::byte bytes[sizeof(config)];
  std::memcpy(bytes, &config, sizeof(config));
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i] = offset + i < sizeof(config) ? bytes[offset + i] : std::byte{0};
  }
}

void Block::write_config(u64 offset, std::span<const std::byte> data) {
  if (offset != offsetof(Config, writeback) || data.size() != 1) return;
  const std::lock_guard guard(lock_);
  if ((driver_features_ & kConfigWce) == 0) return;
  write_back_ = (data[0] & std::byte{1}) != std::byte{0};
  update_write_through();
}

void Block::set_driver_features(u64 features) {
  const std::lock_guard guard(lock_);
  driver_features_ = features;
  // Who can switch the cache but not flush it begins without one [Virtio 1.2 5.2.5.2].
  if ((features & (kFlush | kConfigWce)) == kConfigWce) write_back_ = false;
  update_write_through();
}

/// A driver that cannot flush expects each write to be on the disk [Virtio 1.2 5.2.6.2].
void Block::update_write_through() {
  const bool can_flush = (driver_features_ & (kFlush | kConfigWce)) != 0;
  disk_.write_through = !disk_.unsafe && (!can_flush || !write_back_);
}

void Block::reset() {
  const std::lock_guard guard(lock_);
  driver_features_ = 0;
  write_back_ = true;
  update_write_through();
}

void Block::look_at_size() {
  {
    // Together: a driver that reads half of the old capacity and half of the new one sees it by the
    // generation, whenever it asks for that [Virtio 1.2 2.5.3].
    const std::lock_guard guard(lock_);
    const auto size = disk_.image.size();
    if (!size) {
      return log(LogLevel::kError, "%s: %s", disk_.title.c_str(), size.error().message().c_str());
    }
    if (disk_.capacity.exchange(*size) == *size) return;
    ++generation_;
  }
  tell_driver();
}

bool Block::shows(const struct stat& file) const {
  const std::lock_guard guard(lock_);
  struct stat own{};
  return ::fstat(disk_.image.fd(), &own) == 0 && own.st_dev == file.st_dev &&
         own.st_ino == file.st_ino;
}

/// What the driver was told when it began has to stay true.
Result<void> Block::can_take(const BlockImage& image) const {
  const auto refuse = [&](const std::string& why) {
    return Error::config(disk_.title + ": cannot take '" + image.path() + "': " + why);
  };
  if (image.read_only() && !disk_.read_only) {
    return refuse("it was opened read-only, and the guest may write -- open it for writing");
  }
  if (!image.read_only() && disk_.read_only) {
    return refuse("it was opened for writing, and the disk is read-only -- open it read-only");
  }
  if (image.direct() != direct_) {
    return refuse("it was opened for another cache mode -- open it as the disk's image is");
  }
  if (disk_.can_discard && !image.can_discard()) {
    return refuse(
        "blocks cannot be given back there, and the guest was told that they can -- put it on a "
        "file system that can punch holes");
  }
  return {};
}

Result<void> Block::exchange(BlockImage image, std::chrono::milliseconds patience) {
  const std::lock_guard one(exchange_lock_);
  if (drain_.is_abandoned()) return stopped();
  TRY(can_take(image));
  const u64 size = TRY(image.size());
  other_ = std::move(image);
  for (const auto& queue : queues_) {
    drain_.expect();
    queue->hold();
  }
  Result<void> done =
      drain_.wait_for(patience)
          ? put_in_place(size)
          : Error::host(disk_.title +
                        format(": requests to '%s' have not ended within %ld ms, it stays in use "
                               "-- try again when the host's storage answers",
                               disk_.image.path().c_str(), patience.count()));
  // Who knows where a loop is: files stay open, and queues that may be between two stay held.
  if (drain_.is_abandoned()) return stopped();
  other_.reset();
  for (const auto& queue : queues_) queue->go_on();
  if (done) tell_driver();
  return done;
}

/// On a loop: it may interrupt the guest, and not every thread may ask KVM for that.
void Block::tell_driver() {
  loop_.post(Completion::to<&Block::on_config_changed>(this));
}

/// All queues are held.
Result<void> Block::put_in_place(u64 size) {
  if (auto updated = update_files(*other_); !updated) {
    // A place that cannot be had back is one without a file: requests there fail.
    static_cast<void>(update_files(disk_.image));
    return updated;
  }
  const std::lock_guard guard(lock_);
  std::swap(disk_.image, *other_);
  disk_.capacity = size;
  ++generation_;
  return {};
}

Result<void> Block::update_files(const BlockImage& image) {
  for (const auto& files : files_) {
    drain_.expect();
    files->exchange(image, drain_);
  }
  if (!drain_.wait()) return stopped();
  for (const auto& files : files_) {
    if (files->error() == 0) continue;
    return Error::from_errno(files->error(), "cannot hand '" + image.path() + "' to the io_uring");
  }
  return {};
}

Error Block::stopped() const {
  return Error::host(disk_.title + ": the VM is being stopped");
}

void Block::set_limits(const RateChange& change) {
  disk_.limiter.change(change);
  for (const auto& queue : queues_) queue->limits_changed();
}

Block::Counters Block::counters() const {
  Counters sum;
  for (const auto& queue : queues_) {
    const BlockCounters& part = queue->counters();
    sum.read_count += part.read_count.value();
    sum.read_bytes += part.read_bytes.value();
    sum.write_count += part.write_count.value();
    sum.write_bytes += part.write_bytes.value();
    sum.flush_count += part.flush_count.value();
    sum.error_count += part.error_count.value();
    sum.throttled += queue->throttled();
  }
  return sum;
}

u32 Block::config_generation() const {
  const std::lock_guard guard(lock_);
  return generation_;
}

Block::State Block::save() const {
  const std::lock_guard guard(lock_);
  return {.write_back = write_back_};
}

void Block::restore(const State& state) {
  const std::lock_guard guard(lock_);
  write_back_ = state.write_back;
  update_write_through();
}

}  // namespace mote::virtio
