// SPDX-License-Identifier: Apache-2.0
// The driver's side of a virtio device. First vCPU, ring 0 or 3.
#include "guests/kit/virtio_transport.hpp"

#include "guests/kit/ioapic.hpp"
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

/// Where a register is in the common configuration [4.1.4.3]; width 0: it has none.
struct Place {
  u32 offset;
  u32 width;
};

Place place_of(Register reg) {
  switch (reg) {
    case Register::kDeviceFeaturesSelect:
      return {0, 4};
    case Register::kDeviceFeatures:
      return {4, 4};
    case Register::kDriverFeaturesSelect:
      return {8, 4};
    case Register::kDriverFeatures:
      return {12, 4};
    case Register::kStatus:
      return {20, 1};
    case Register::kConfigGeneration:
      return {21, 1};
    case Register::kQueueSelect:
      return {22, 2};
    case Register::kQueueSizeMax:
    case Register::kQueueSize:
      return {24, 2};
    case Register::kQueueReady:
      return {28, 2};
    case Register::kQueueDescriptorsLow:
      return {32, 4};
    case Register::kQueueDescriptorsHigh:
      return {36, 4};
    case Register::kQueueAvailableLow:
      return {40, 4};
    case Register::kQueueAvailableHigh:
      return {44, 4};
    case Register::kQueueUsedLow:
      return {48, 4};
    case Register::kQueueUsedHigh:
      return {52, 4};
    case Register::kQueueReset:
      return {58, 2};
    default:
      return {0, 0};
  }
}

}  // namespace

bool find_device(std::string_view command_line, u32 device_id, u32 skip, Transport& transport) {
  Words words(command_line);
  std::string_view word;
  VirtioMmioDevice device{};
  u32 left = skip;
  while (words.next(word)) {
    if (!parse_virtio_mmio(word, device)) continue;
    transport = Transport(device);
    if (transport.get(Register::kMagic) != kMagicValue) continue;
    if (transport.get(Register::kDeviceId) != device_id) continue;
    if (left-- == 0) return true;
  }
  PciFunction function{};
  if (!find_function(device_id, left, function)) return false;
  transport = Transport(function);
  return true;
}

u32 Transport::get_pci(Register reg) const {
  if (reg == Register::kVersion) return kModernVersion;  // there is no legacy device with this id
  if (reg == Register::kInterruptStatus) return mmio_read<u8>(pci_.isr);
  const Place place = place_of(reg);
  switch (place.width) {
    case 1:
      return mmio_read<u8>(base_ + place.offset);
    case 2:
      return mmio_read<u16>(base_ + place.offset);
    case 4:
      return mmio_read<u32>(base_ + place.offset);
    default:
      return 0;
  }
}

void Transport::set_pci(Register reg, u32 value) const {
  const Place place = place_of(reg);
  switch (place.width) {
    case 1:
      return mmio_write<u8>(base_ + place.offset, static_cast<u8>(value));
    case 2:
      return mmio_write<u16>(base_ + place.offset, static_cast<u16>(value));
    case 4:
      return mmio_write<u32>(base_ + place.offset, value);
    default:
      return;  // the ISR status, among others, is acknowledged by being read
  }
}

void Transport::route(u8 vector, u32 apic_id) const {
  if (!is_pci()) return ioapic::route(irq_, vector, apic_id);
  set_message(pci_, 0, vector, apic_id);
  set_msix(pci_, kMsixEnabled);
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
  if (is_pci()) mmio_write<u16>(base_ + kQueueVector, 0);
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
