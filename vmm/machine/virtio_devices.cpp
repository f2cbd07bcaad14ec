// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/virtio_devices.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "devices/virtio/block/block.hpp"
#include "devices/virtio/net/net.hpp"
#include "vmm/arch/virtio_slots.hpp"

namespace mote {
namespace {

/// Operations in flight on a loop that serves devices; what is beyond waits in the rings.
constexpr u32 kOperations = 1024;

}  // namespace

u32 virtio_device_count(const VmConfig& config) {
  return static_cast<u32>(config.blocks.size() + config.nets.size());
}

u32 loop_count(const VmConfig& config) {
  return virtio_device_count(config) == 0 ? 1 : config.machine.io_threads;
}

LoopOptions loop_options(const VmConfig& config) {
  LoopOptions options;
  if (virtio_device_count(config) == 0) return options;
  options.operations = kOperations;
  options.files = static_cast<u32>(config.blocks.size()) * virtio::Block::kFilesPerLoop +
                  static_cast<u32>(config.nets.size()) * virtio::Net::kFilesPerLoop;
  options.poll_ns = u64{config.machine.poll_us} * 1000;
  return options;
}

LoopOptions most_loop_options(const MachineConfig& machine) {
  constexpr u32 kFiles = std::max(virtio::Block::kFilesPerLoop, virtio::Net::kFilesPerLoop);
  return {.operations = kOperations,
          .files = static_cast<u32>(kMaxVirtioDevices) * kFiles,
          .poll_ns = u64{machine.poll_us} * 1000};
}

std::vector<std::string> virtio_words(const VmConfig& config, bool announced_by_acpi) {
  std::vector<std::string> words;
  for (u32 number = 0; number < virtio_device_count(config); ++number) {
    if (!announced_by_acpi) words.push_back(arch::virtio_word(number));
    if (number >= config.blocks.size() || !config.blocks[number].root) continue;
    const BlockConfig& root = config.blocks[number];
    words.push_back(root.partuuid.empty()
                        ? format("root=/dev/vd%c", static_cast<char>('a' + number))
                        : "root=PARTUUID=" + root.partuuid);
    words.emplace_back(root.read_only ? "ro" : "rw");
  }
  return words;
}

Result<void> VirtioTransports::attach(virtio::Device& device, Board& board, kvm::Vm& vm,
                                      const GuestMemory& memory) {
  const auto slot = arch::virtio_slot(static_cast<u32>(transports_.size()));
  IrqLine* const line = TRY(board.interrupts().event_line(slot.pin));
  auto transport = std::make_unique<virtio::MmioTransport>(memory, device, *line);
  const Gpa notify(slot.address.raw() + virtio::MmioTransport::kQueueNotify);
  for (u32 queue = 0; queue < device.queue_count(); ++queue) {
    TRY(vm.add_ioeventfd(notify, queue, device.kick_fd(queue)));
  }
  board.add_mmio(slot.address, virtio::MmioTransport::kSize, *transport);
  transports_.push_back(std::move(transport));
  return {};
}

void VirtioTransports::abandon() {
  for (const auto& transport : transports_) transport->abandon();
}

void VirtioTransports::pause() {
  for (const auto& transport : transports_) transport->pause();
}

void VirtioTransports::resume() {
  for (const auto& transport : transports_) transport->resume();
}

}  // namespace mote
