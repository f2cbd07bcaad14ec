// SPDX-License-Identifier: Apache-2.0
// The registers of virtio-mmio; see mmio.hpp. Section numbers are Virtio 1.2's.
#include "devices/virtio/mmio.hpp"

#include <algorithm>

#include "core/event_fd.hpp"

namespace mote::virtio {
namespace {

// Registers (4.2.2).
constexpr u64 kMagic = 0x000;
constexpr u64 kVersion = 0x004;
constexpr u64 kDeviceId = 0x008;
constexpr u64 kVendorId = 0x00c;
constexpr u64 kDeviceFeatures = 0x010;
constexpr u64 kDeviceFeaturesSel = 0x014;
constexpr u64 kDriverFeatures = 0x020;
constexpr u64 kDriverFeaturesSel = 0x024;
constexpr u64 kQueueSel = 0x030;
constexpr u64 kQueueSizeMax = 0x034;
constexpr u64 kQueueSize = 0x038;
constexpr u64 kQueueReady = 0x044;
constexpr u64 kInterruptStatus = 0x060;
constexpr u64 kInterruptAck = 0x064;
constexpr u64 kStatus = 0x070;
constexpr u64 kQueueDescLow = 0x080;
constexpr u64 kQueueDescHigh = 0x084;
constexpr u64 kQueueDriverLow = 0x090;
constexpr u64 kQueueDriverHigh = 0x094;
constexpr u64 kQueueDeviceLow = 0x0a0;
constexpr u64 kQueueDeviceHigh = 0x0a4;
constexpr u64 kShmLenLow = 0x0b0;
constexpr u64 kShmBaseHigh = 0x0bc;
constexpr u64 kQueueReset = 0x0c0;
constexpr u64 kConfigGeneration = 0x0fc;
constexpr u64 kConfig = 0x100;

constexpr u32 kMagicValue = 0x74726976;   // "virt"
constexpr u32 kVendorValue = 0x65746f4d;  // "Mote"

void set_half(Gpa& address, bool high, u32 bits) {
  const u32 shift = high ? 32 : 0;
  address = Gpa((address.raw() & ~(u64{~u32{0}} << shift)) | u64{bits} << shift);
}

}  // namespace

void MmioTransport::read(u64 offset, std::span<std::byte> data) {
  if (offset >= kConfig) {
    const auto guard = lock();
    device().read_config(offset - kConfig, data);
  } else if (data.size() == 4 && offset % 4 == 0) {
    store_le(data, read_register(offset));
  } else {
    fill_ones(data);
  }
}

void MmioTransport::write(u64 offset, std::span<const std::byte> data) {
  if (offset >= kConfig) {
    const auto guard = lock();
    device().write_config(offset - kConfig, data);
  } else if (data.size() == 4 && offset % 4 == 0) {
    write_register(offset, static_cast<u32>(load_le(data)));
  }
}

u32 MmioTransport::read_register(u64 offset) {
  if (offset == kInterruptStatus) return reasons();
  const auto guard = lock();
  const QueueState* queue = selected();
  switch (offset) {
    case kMagic:
      return kMagicValue;
    case kVersion:
      return 2;
    case kDeviceId:
      return device().type();
    case kVendorId:
      return kVendorValue;
    case kDeviceFeatures:
      return device_features();
    case kQueueSizeMax:
      return queue != nullptr ? device().max_queue_size() : 0;
    case kQueueReady:
      return queue != nullptr && queue->ready ? 1 : 0;
    case kQueueReset:
      return 0;  // a reset has ended when the write that asked for it returns
    case kStatus:
      return status();
    case kConfigGeneration:
      return device().config_generation();
    default:
      // No shared memory (4.2.2): length and base read as all ones.
      return offset >= kShmLenLow && offset <= kShmBaseHigh ? ~u32{0} : 0;
  }
}

void MmioTransport::write_register(u64 offset, u32 value) {
  if (offset == kQueueNotify) {
    // Usually KVM signals the descriptor itself and this is not reached.
    if (value < device().queue_count()) signal_eventfd(device().kick_fd(value));
    return;
  }
  if (offset == kInterruptAck) {
    acknowledge(value);
    return;
  }
  const auto guard = lock();
  if (is_abandoned()) return;
  switch (offset) {
    case kDeviceFeaturesSel:
      selection().device_features_word = value;
      break;
    case kDriverFeaturesSel:
      selection().driver_features_word = value;
      break;
    case kDriverFeatures:
      write_driver_features(value);
      break;
    case kQueueSel:
      selection().queue = value;
      break;
    case kStatus:
      write_status(value);
      break;
    default:
      write_queue_register(offset, value);
      break;
  }
}

/// Some drivers put devices to rest by taking the mark away (4.2.2.2).
void MmioTransport::write_queue_register(u64 offset, u32 value) {
  if (selected() == nullptr) return;
  if (offset == kQueueReady) {
    if (value <= 1) set_queue_ready(value == 1);
    return;
  }
  if (offset == kQueueReset) {
    if (value == 1) reset_selected_queue();
    return;
  }
  QueueLayout* const layout = movable();
  if (layout == nullptr) return;
  switch (offset) {
    case kQueueSize:
      layout->size = static_cast<u16>(std::min(value, u32{0xffff}));
      break;
    case kQueueDescLow:
    case kQueueDescHigh:
      set_half(layout->descriptors, offset == kQueueDescHigh, value);
      break;
    case kQueueDriverLow:
    case kQueueDriverHigh:
      set_half(layout->available, offset == kQueueDriverHigh, value);
      break;
    case kQueueDeviceLow:
    case kQueueDeviceHigh:
      set_half(layout->used, offset == kQueueDeviceHigh, value);
      break;
    default:
      break;
  }
}

}  // namespace mote::virtio
