// SPDX-License-Identifier: Apache-2.0
// The driver's side of a virtio device: registers, status, features, queues [Virtio 1.2 4.1, 4.2].
// First vCPU, ring 0 or 3.
#pragma once

#include <string_view>

#include "guests/kit/command_line.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/types.hpp"
#include "guests/kit/virtio_pci.hpp"

namespace kit::virtio {

/// Registers, by their offsets in virtio over MMIO [Virtio 1.2 4.2.2]; on the PCI bus those of the
/// same meaning are taken.
enum class Register : u32 {
  kMagic = 0x000,
  kVersion = 0x004,
  kDeviceId = 0x008,
  kVendorId = 0x00C,
  kDeviceFeatures = 0x010,
  kDeviceFeaturesSelect = 0x014,
  kDriverFeatures = 0x020,
  kDriverFeaturesSelect = 0x024,
  kQueueSelect = 0x030,
  kQueueSizeMax = 0x034,
  kQueueSize = 0x038,
  kQueueReady = 0x044,
  kQueueNotify = 0x050,
  kInterruptStatus = 0x060,
  kInterruptAck = 0x064,
  kStatus = 0x070,
  kQueueDescriptorsLow = 0x080,
  kQueueDescriptorsHigh = 0x084,
  kQueueAvailableLow = 0x090,
  kQueueAvailableHigh = 0x094,
  kQueueUsedLow = 0x0A0,
  kQueueUsedHigh = 0x0A4,
  kQueueReset = 0x0C0,
  kConfigGeneration = 0x0FC,
};
inline constexpr u32 kConfigSpace = 0x100;

inline constexpr u32 kMagicValue = 0x74726976;  // "virt"
inline constexpr u32 kModernVersion = 2;
inline constexpr u32 kBlockDeviceId = 2;

// Bits of kStatus [Virtio 1.2 2.1].
inline constexpr u32 kAcknowledge = 1;
inline constexpr u32 kDriver = 2;
inline constexpr u32 kDriverOk = 4;
inline constexpr u32 kFeaturesOk = 8;
inline constexpr u32 kNeedsReset = 64;

// Bits of kInterruptStatus.
inline constexpr u32 kUsedBuffer = 1;
inline constexpr u32 kConfigChange = 2;

constexpr u64 feature(u32 bit) {
  return u64{1} << bit;
}
// Features of every device [Virtio 1.2 6].
inline constexpr u64 kIndirectDescriptors = feature(28);
inline constexpr u64 kEventIndex = feature(29);
inline constexpr u64 kVersion1 = feature(32);
inline constexpr u64 kRingReset = feature(40);

/// Where the three parts of a split queue are in guest memory.
struct RingAddresses {
  u64 descriptors;
  u64 available;
  u64 used;
};

/// One device's registers. Holds nothing but their addresses.
class Transport {
 public:
  Transport() = default;
  explicit Transport(const VirtioMmioDevice& device) : base_(device.base), irq_(device.irq) {}
  explicit Transport(const PciFunction& function) : base_(function.common), pci_(function) {}

  bool is_pci() const { return pci_.common != 0; }
  /// Where the device's registers begin.
  u64 base() const { return base_; }
  /// Its pin of the I/O APIC; not on the PCI bus.
  u32 irq() const { return irq_; }
  const PciFunction& function() const { return pci_; }

  u32 get(Register reg) const {
    return is_pci() ? get_pci(reg) : mmio_read<u32>(base_ + static_cast<u32>(reg));
  }
  void set(Register reg, u32 value) const {
    // What the device is to see was written before.
    asm volatile("" : : : "memory");
    if (is_pci()) {
      set_pci(reg, value);
    } else {
      mmio_write<u32>(base_ + static_cast<u32>(reg), value);
    }
  }

  u32 status() const { return get(Register::kStatus); }
  void add_status(u32 bits) const { set(Register::kStatus, status() | bits); }
  bool needs_reset() const { return (status() & kNeedsReset) != 0; }

  /// Resets the device; false when it does not say that it is done in two seconds [2.4].
  bool reset() const;

  u64 device_features() const;
  /// From reset to FEATURES_OK with exactly these features; false when the device refuses them.
  bool negotiate(u64 features) const;

  /// Sets a queue's size and addresses and makes it ready.
  void set_up_queue(u32 index, u32 size, const RingAddresses& rings) const;
  /// Resets one queue (VIRTIO_F_RING_RESET); false when it does not say that it is done in two
  /// seconds.
  bool reset_queue(u32 index) const;
  u32 queue_size_max(u32 index) const;

  void notify(u32 queue) const {
    if (!is_pci()) return set(Register::kQueueNotify, queue);
    asm volatile("" : : : "memory");
    mmio_write<u16>(pci_.notify + queue * pci_.notify_stride, static_cast<u16>(queue));
  }
  /// Reads why the device interrupted and acknowledges just that.
  u32 acknowledge_interrupt() const;

  /// Where byte `offset` of the device's configuration is.
  u64 config_address(u32 offset) const {
    return (is_pci() ? pci_.device : base_ + kConfigSpace) + offset;
  }
  template <class T>
  T config(u32 offset) const {
    return mmio_read<T>(config_address(offset));
  }
  /// A field of 8 bytes, from one generation of the configuration [2.5].
  u64 config64(u32 offset) const;

  /// Has the device interrupt the vCPU with this APIC id on `vector`, for all that there is: by an
  /// edge of its pin, or by its first MSI-X vector, which all queues of set_up_queue() have.
  void route(u8 vector, u32 apic_id) const;

 private:
  u32 get_pci(Register reg) const;
  void set_pci(Register reg, u32 value) const;

  u64 base_ = 0;
  u32 irq_ = 0;
  PciFunction pci_{};
};

/// The device of this kind after `skip` others: one that the command line announces, else one on
/// the PCI bus; false when there is none. Reads device registers.
bool find_device(std::string_view command_line, u32 device_id, u32 skip, Transport& transport);

}  // namespace kit::virtio
