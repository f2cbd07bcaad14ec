// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/virtio_devices.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "devices/virtio/block/block.hpp"
#include "devices/virtio/mmio.hpp"
#include "devices/virtio/net/net.hpp"
#include "devices/virtio/pci.hpp"
#include "vmm/arch/virtio_slots.hpp"

namespace mote {
namespace {

/// Operations in flight on a loop that serves devices; what is beyond waits in the rings.
constexpr u32 kOperations = 1024;

/// Linux names disks in the order in which it finds them: those by mmio first.
std::string root_device(const VmConfig& config, const BlockConfig& root) {
  const auto is_found_before = [&](const BlockConfig& other) {
    const bool is_same = is_by_pci(config, other) == is_by_pci(config, root);
    return is_same ? &other < &root : is_by_pci(config, root);
  };
  const auto place = std::count_if(config.blocks.begin(), config.blocks.end(), is_found_before);
  return format("/dev/vd%c", static_cast<char>('a' + place));
}

}  // namespace

u32 virtio_device_count(const VmConfig& config) {
  return static_cast<u32>(config.blocks.size() + config.nets.size());
}

u32 mmio_device_count(const VmConfig& config) {
  const auto by_mmio = [&config](const auto& device) { return !is_by_pci(config, device); };
  return static_cast<u32>(std::count_if(config.blocks.begin(), config.blocks.end(), by_mmio) +
                          std::count_if(config.nets.begin(), config.nets.end(), by_mmio));
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
  u32 number = 0;
  const auto announce = [&](const auto& device) {
    if (announced_by_acpi || is_by_pci(config, device)) return;
    words.push_back(arch::virtio_word(number++));
  };
  for (const BlockConfig& block : config.blocks) {
    announce(block);
    if (!block.root) continue;
    words.push_back("root=" + (block.partuuid.empty() ? root_device(config, block)
                                                      : "PARTUUID=" + block.partuuid));
    words.emplace_back(block.read_only ? "ro" : "rw");
  }
  for (const NetConfig& net : config.nets) announce(net);
  return words;
}

Result<void> VirtioTransports::attach(virtio::Device& device, Transport transport, Board& board,
                                      kvm::Vm& vm, const GuestMemory& memory) {
  return transport == Transport::kPci ? attach_pci(device, board, vm, memory)
                                      : attach_mmio(device, board, vm, memory);
}

Result<void> VirtioTransports::attach_mmio(virtio::Device& device, Board& board, kvm::Vm& vm,
                                           const GuestMemory& memory) {
  const auto slot = arch::virtio_slot(mmio_count_++);
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

/// KVM signals a queue's descriptor also while the BAR does not answer: a look in vain.
Result<void> VirtioTransports::attach_pci(virtio::Device& device, Board& board, kvm::Vm& vm,
                                          const GuestMemory& memory) {
  MessageLines* const lines =
      TRY(board.interrupts().message_lines(virtio::PciTransport::vectors(device)));
  auto transport = std::make_unique<virtio::PciTransport>(memory, device, *lines);
  TRY(board.add_pci(*transport));
  for (u32 queue = 0; queue < device.queue_count(); ++queue) {
    const Gpa notify(transport->home().raw() + virtio::PciTransport::kNotify +
                     queue * virtio::PciTransport::kNotifyStride);
    TRY(vm.add_ioeventfd(notify, device.kick_fd(queue)));
  }
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
