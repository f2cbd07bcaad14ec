// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/disks.hpp"

#include <algorithm>
#include <utility>

#include "core/text.hpp"
#include "vmm/arch/virtio_slots.hpp"

namespace mote {
namespace {

constexpr u32 kDefaultQueues = 4;  // at most; more than vCPUs are of no use
/// Operations in flight on a loop that serves disks; what is beyond waits in the rings.
constexpr u32 kOperations = 1024;

std::optional<TokenBucket> bucket(const std::optional<RateLimit>& limit) {
  if (!limit) return std::nullopt;
  return TokenBucket(limit->size, u64{limit->refill_ms} * 1'000'000, limit->burst);
}

virtio::BlockOptions options(const BlockConfig& block, std::size_t number, u32 vcpus) {
  return {.id = block.id.empty() ? format("disk%zu", number) : block.id,
          .path = block.path,
          .read_only = block.read_only,
          .direct = block.cache == BlockCache::kDirect,
          .unsafe = block.cache == BlockCache::kUnsafe,
          .queues = block.queues != 0 ? block.queues : std::min(vcpus, kDefaultQueues),
          .queue_size = static_cast<u16>(block.queue_size),
          .bytes = bucket(block.bandwidth),
          .operations = bucket(block.operations)};
}

}  // namespace

LoopOptions loop_options(const VmConfig& config) {
  LoopOptions options;
  if (config.blocks.empty()) return options;
  options.operations = kOperations;
  options.files = static_cast<u32>(config.blocks.size()) * virtio::Block::kFilesPerLoop;
  options.poll_ns = u64{config.machine.poll_us} * 1000;
  return options;
}

std::vector<std::string> disk_words(const VmConfig& config, bool announced_by_acpi) {
  std::vector<std::string> words;
  for (u32 number = 0; number < config.blocks.size(); ++number) {
    if (!announced_by_acpi) words.push_back(arch::virtio_word(number));
    const BlockConfig& block = config.blocks[number];
    if (!block.root) continue;
    words.push_back(format("root=/dev/vd%c", static_cast<char>('a' + number)));
    words.emplace_back(block.read_only ? "ro" : "rw");
  }
  return words;
}

Result<Disks> Disks::create(const VmConfig& config, const GuestMemory& memory,
                            std::span<EventLoop* const> loops) {
  Disks disks;
  for (std::size_t number = 0; number < config.blocks.size(); ++number) {
    disks.blocks_.push_back(TRY(virtio::Block::create(
        options(config.blocks[number], number, config.machine.vcpus), memory, loops)));
  }
  return disks;
}

Result<void> Disks::attach(Board& board, kvm::Vm& vm, const GuestMemory& memory) {
  for (const auto& block : blocks_) {
    const auto slot = arch::virtio_slot(static_cast<u32>(transports_.size()));
    IrqLine* const line = TRY(board.interrupts().event_line(slot.pin));
    auto transport = std::make_unique<virtio::MmioTransport>(memory, *block, *line);
    const Gpa notify(slot.address.raw() + virtio::MmioTransport::kQueueNotify);
    for (u32 queue = 0; queue < block->queue_count(); ++queue) {
      TRY(vm.add_ioeventfd(notify, queue, block->kick_fd(queue)));
    }
    board.add_mmio(slot.address, virtio::MmioTransport::kSize, *transport);
    transports_.push_back(std::move(transport));
  }
  return {};
}

void Disks::abandon() {
  for (const auto& transport : transports_) transport->abandon();
}

void Disks::look_at_sizes() {
  for (const auto& block : blocks_) block->look_at_size();
}

}  // namespace mote
