// SPDX-License-Identifier: Apache-2.0
// The driver's side of a virtio block device [Virtio 1.2 5.2]. First vCPU, ring 0 or 3.
#include "guests/kit/block.hpp"

#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit::block {
namespace {

constexpr u64 kPatienceUs = 10'000'000;  // a flush of a busy host's disk takes seconds
constexpr u64 kSliceUs = 10'000;

}  // namespace

bool Disk::find(const BootInfo& info) {
  const std::string_view line(info.command_line);
  const auto skip = static_cast<u32>(find_number(line, "disk", 0));
  if (!virtio::find_device(line, virtio::kBlockDeviceId, skip, transport_)) {
    return expect("block.found", false, "no block device number ", skip,
                  " on the command line or the PCI bus");
  }
  const u32 version = transport_.get(virtio::Register::kVersion);
  return version == virtio::kModernVersion ||
         expect("block.version", false, "version ", version, " of the registers instead of 2");
}

bool Disk::negotiate(u64 features) {
  if (!transport_.reset()) return false;
  features_ = transport_.device_features() & kKnownFeatures & features;
  return transport_.negotiate(features_);
}

bool Disk::start(const Wish& wish) {
  if (!negotiate(wish.features | virtio::kVersion1)) return false;
  queue_count_ = wish.queues;
  if (queue_count_ > kMaxQueues) return false;
  for (u16 i = 0; i < queue_count_; i++) {
    if (!start_queue(i, wish.queue_size)) return false;
  }
  transport_.add_status(virtio::kDriverOk);
  return (transport_.status() & virtio::kNeedsReset) == 0;
}

bool Disk::start_queue(u16 index, u16 size) {
  if (!has_memory_[index] && !queues_[index].allocate()) return false;
  has_memory_[index] = true;
  const u32 max = transport_.queue_size_max(index);
  if (max == 0 || max > 0x8000) return false;
  if (size > max) size = static_cast<u16>(max);
  queues_[index].start(size, has(virtio::kEventIndex));
  transport_.set_up_queue(index, size, queues_[index].rings());
  return transport_.get(virtio::Register::kQueueReady) == 1;
}

bool Disk::submit(std::span<const Segment> segments, virtio::Descriptor* table, u16 queue) {
  virtio::Virtqueue& ring = queues_[queue];
  const bool has_room = table == nullptr ? ring.add(segments, last_head_)
                                         : ring.add_indirect(segments, table, last_head_);
  if (!has_room) return false;
  ring.publish();
  if (ring.needs_kick()) {
    kicks_++;
    transport_.notify(queue);
  }
  return true;
}

bool Disk::submit(Chain& chain, Layout layout, u16 queue) {
  chain.clear_status();
  return submit(chain.segments(), layout == Layout::kDirect ? nullptr : chain.table(), queue);
}

bool Disk::complete(u16 count, u16 queue) {
  virtio::Used used{};
  u16 done = 0;
  const auto take = [&] {
    while (done < count && queues_[queue].pop(used)) {
      last_length_ = used.length;
      done++;
    }
    return done == count;
  };
  // A device that gave up does not answer any more. To ask it costs an exit, so seldom.
  for (u64 waited = 0; waited < kPatienceUs; waited += kSliceUs) {
    if (wait_until(take, kSliceUs)) return true;
    if (transport_.needs_reset()) return take();
  }
  return false;
}

u8 Disk::run(Chain& chain, Layout layout, u16 queue) {
  if (!submit(chain, layout, queue) || !complete(1, queue)) return kNoAnswer;
  return chain.status();
}

u8 Disk::transfer(Type type, u64 sector, void* data, u32 size, Layout layout, u16 queue) {
  plain_.restart(type, sector);
  plain_.add_header();
  const bool device_writes = type == Type::kRead || type == Type::kGetId;
  if (size != 0) plain_.add({reinterpret_cast<u64>(data), size, device_writes});
  plain_.add_status();
  return run(plain_, layout, queue);
}

u8 Disk::change(Type type, std::span<const Range> ranges) {
  plain_.restart(type, 0);
  plain_.add_header();
  plain_.add(virtio::readable(ranges.data(), static_cast<u32>(ranges.size_bytes())));
  plain_.add_status();
  return run(plain_);
}

}  // namespace kit::block
