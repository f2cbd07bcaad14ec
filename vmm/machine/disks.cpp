// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/disks.hpp"

#include <algorithm>
#include <utility>

#include "vmm/machine/buckets.hpp"

namespace mote {
namespace {

constexpr u32 kDefaultQueues = 4;  // at most; more than vCPUs are of no use
/// The longest piece of memory that a ring takes.
constexpr u64 kMaxPinnedPiece = kGiB;

virtio::BlockOptions options(const BlockConfig& block, std::size_t number, u32 vcpus) {
  return {.id = disk_id(block, number),
          .unsafe = block.cache == BlockCache::kUnsafe,
          .queues = block.queues != 0 ? block.queues : std::min(vcpus, kDefaultQueues),
          .queue_size = static_cast<u16>(block.queue_size),
          .bytes = token_bucket(block.bandwidth),
          .operations = token_bucket(block.operations)};
}

}  // namespace

Result<Disks> Disks::create(const VmConfig& config, std::vector<virtio::BlockImage> images,
                            const GuestMemory& memory, std::span<EventLoop* const> loops) {
  Disks disks;
  if (config.machine.registered_buffers && !config.blocks.empty()) {
    for (EventLoop* const loop : loops) TRY(loop->pin_memory(memory.as_iovecs(kMaxPinnedPiece)));
  }
  for (std::size_t number = 0; number < config.blocks.size(); ++number) {
    disks.blocks_.push_back(
        TRY(virtio::Block::create(options(config.blocks[number], number, config.machine.vcpus),
                                  std::move(images[number]), memory, loops)));
  }
  return disks;
}

virtio::Block* Disks::find(std::string_view id) const {
  for (const auto& block : blocks_) {
    if (block->name() == id) return block.get();
  }
  return nullptr;
}

void Disks::collect(MetricsSink& sink) const {
  for (const auto& block : blocks_) {
    const virtio::Block::Counters counters = block->counters();
    const auto show = [&](const char* name, u64 value) {
      sink.counter("block", block->name(), name, value);
    };
    show("read_count", counters.read_count);
    show("read_bytes", counters.read_bytes);
    show("write_count", counters.write_count);
    show("write_bytes", counters.write_bytes);
    show("flush_count", counters.flush_count);
    show("execute_fails", counters.error_count);
    show("rate_limiter_throttled_events", counters.throttled);
  }
}

void Disks::look_at_sizes() {
  for (const auto& block : blocks_) block->look_at_size();
}

}  // namespace mote
