// SPDX-License-Identifier: Apache-2.0
// The driver's side of virtio over MMIO: registers, status, features, queues [Virtio 1.2 4.2].
// First vCPU, ring 0 or 3.
#include "guests/kit/virtio_mmio.hpp"

#include "guests/kit/time.hpp"

namespace kit::virtio {
namespace {

constexpr u64 kPatienceUs = 2'000'000;
constexpr u32 kConfigReads = 100;

constexpr u32 low(u64 value) {
  return static_cast<u32>(value);
}
constexpr u32 high(u64 value) {
  return static_cast<u32>(value >> 32);
}

}  // namespace

bool find_device(std::string_view command_line, u32 device_id, u32 skip, VirtioMmioDevice& device) {
  Words words(command_line);
  std::string_view word;
  while (words.next(word)) {
    if (!parse_virtio_mmio(word, device)) continue;
    const Transport transport(device.base);
    if (transport.get(Register::kMagic) != kMagicValue) continue;
    if (transport.get(Register::kDeviceId) != device_id) continue;
    if (skip-- == 0) return true;
  }
  return false;
}

bool Transport::reset() const {
  set(Register::kStatus, 0);
  return wait_until([this] { return status() == 0; }, kPatienceUs);
}

u64 Transport::device_features() const {
  set(Register::kDeviceFeaturesSelect, 0);
  const u64 first = get(Register::kDeviceFeatures);
  set(Register::kDeviceFeaturesSelect, 1);
  return first | u64{get(Register::kDeviceFeatures)} << 32;
}

bool Transport::negotiate(u64 features) const {
  add_status(kAcknowledge);
  add_status(kDriver);
  set(Register::kDriverFeaturesSelect, 0);
  set(Register::kDriverFeatures, low(features));
  set(Register::kDriverFeaturesSelect, 1);
  set(Register::kDriverFeatures, high(features));
  add_status(kFeaturesOk);
  return (status() & kFeaturesOk) != 0;
}

void Transport::set_up_queue(u32 index, u32 size, const RingAddresses& rings) const {
  set(Register::kQueueSelect, index);
  set(Register::kQueueSize, size);
  set(Register::kQueueDescriptorsLow, low(rings.descriptors));
  set(Register::kQueueDescriptorsHigh, high(rings.descriptors));
  set(Register::kQueueAvailableLow, low(rings.available));
  set(Register::kQueueAvailableHigh, high(rings.available));
  set(Register::kQueueUsedLow, low(rings.used));
  set(Register::kQueueUsedHigh, high(rings.used));
  set(Register::kQueueReady, 1);
}

bool Transport::reset_queue(u32 index) const {
  set(Register::kQueueSelect, index);
  set(Register::kQueueReset, 1);
  return wait_until(
      [this] { return get(Register::kQueueReset) == 0 && get(Register::kQueueReady) == 0; },
      kPatienceUs);
}

u32 Transport::queue_size_max(u32 index) const {
  set(Register::kQueueSelect, index);
  return get(Register::kQueueSizeMax);
}

u32 Transport::acknowledge_interrupt() const {
  const u32 reasons = get(Register::kInterruptStatus);
  set(Register::kInterruptAck, reasons);
  return reasons;
}

u64 Transport::config64(u32 offset) const {
  u64 value = 0;
  for (u32 i = 0; i < kConfigReads; i++) {
    const u32 before = get(Register::kConfigGeneration);
    value = config<u32>(offset) | u64{config<u32>(offset + 4)} << 32;
    if (get(Register::kConfigGeneration) == before) break;
  }
  return value;
}

}  // namespace kit::virtio
