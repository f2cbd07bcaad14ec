// SPDX-License-Identifier: Apache-2.0
// The registers of virtio over PCI; see pci.hpp. Section numbers are Virtio 1.2's.
#include "devices/virtio/pci.hpp"

#include <algorithm>
#include <array>

#include "core/bus.hpp"
#include "core/check.hpp"
#include "core/event_fd.hpp"

namespace mote::virtio {
namespace {

// Who the function is (4.1.2).
constexpr u16 kVendor = 0x1af4;
constexpr u16 kFirstDevice = 0x1040;
constexpr u8 kRevision = 1;
constexpr u32 kNetworkController = 0x02'00'00;
constexpr u32 kStorageController = 0x01'80'00;
constexpr u32 kOtherDevice = 0xff'00'00;
constexpr u32 kNetDevice = 1;
constexpr u32 kBlockDevice = 2;

// What lies where in the BAR.
constexpr u64 kPart = 0x1000;
constexpr u64 kCommon = 0x0000;
constexpr u64 kIsr = 0x1000;
constexpr u64 kDeviceConfig = 0x2000;
constexpr u64 kTable = 0x4000;
constexpr u64 kPending = 0x5000;

// Capabilities (4.1.4).
constexpr u8 kVendorCapability = 0x09;
enum class Kind : u8 {
  kRegisters = 1,
  kNotifications = 2,
  kIsrStatus = 3,
  kDevice = 4,
  kWindow = 5
};
constexpr std::size_t kCapabilitySize = 16;
constexpr u32 kWindowBar = 4;
constexpr u32 kWindowOffset = 8;
constexpr u32 kWindowLength = 12;
constexpr u32 kWindowData = 16;

// Registers (4.1.4.3).
constexpr u64 kDeviceFeatureSelect = 0x00;
constexpr u64 kDeviceFeature = 0x04;
constexpr u64 kDriverFeatureSelect = 0x08;
constexpr u64 kDriverFeature = 0x0c;
constexpr u64 kConfigVector = 0x10;
constexpr u64 kQueueCount = 0x12;
constexpr u64 kStatus = 0x14;
constexpr u64 kConfigGeneration = 0x15;
constexpr u64 kQueueSelect = 0x16;
constexpr u64 kQueueSize = 0x18;
constexpr u64 kQueueVector = 0x1a;
constexpr u64 kQueueEnable = 0x1c;
constexpr u64 kQueueNotifyOffset = 0x1e;
constexpr u64 kQueueDescLow = 0x20;
constexpr u64 kQueueDescHigh = 0x24;
constexpr u64 kQueueDriverLow = 0x28;
constexpr u64 kQueueDriverHigh = 0x2c;
constexpr u64 kQueueDeviceLow = 0x30;
constexpr u64 kQueueDeviceHigh = 0x34;
constexpr u64 kQueueNotifyData = 0x38;
constexpr u64 kQueueReset = 0x3a;
constexpr u64 kCommonSize = 0x3c;

/// How wide the register at `offset` is; 0: none begins there.
std::size_t width_at(u64 offset) {
  if (offset < kConfigVector) return offset % 4 == 0 ? 4 : 0;
  if (offset == kStatus || offset == kConfigGeneration) return 1;
  if (offset < kQueueDescLow) return offset % 2 == 0 ? 2 : 0;
  if (offset < kQueueNotifyData) return offset % 4 == 0 ? 4 : 0;
  return offset < kCommonSize && offset % 2 == 0 ? 2 : 0;
}

u32 class_code(u32 type) {
  if (type == kNetDevice) return kNetworkController;
  return type == kBlockDevice ? kStorageController : kOtherDevice;
}

pci::Identity identity(u32 type) {
  const auto device = static_cast<u16>(kFirstDevice + type);
  return {.vendor = kVendor,
          .device = device,
          .subsystem_vendor = kVendor,
          .subsystem = device,
          .revision = kRevision,
          .class_code = class_code(type)};
}

constexpr pci::Bars kBars = {pci::Bar{.size = PciTransport::kBarSize, .is_64bit = true}};

u32 half(Gpa address, bool high) {
  return static_cast<u32>(high ? address.raw() >> 32 : address.raw());
}

void set_half(Gpa& address, bool high, u32 bits) {
  const u32 shift = high ? 32 : 0;
  address = Gpa((address.raw() & ~(u64{~u32{0}} << shift)) | u64{bits} << shift);
}

}  // namespace

PciTransport::PciTransport(const GuestMemory& memory, Device& device, pci::MessageSink& sink)
    : Transport(memory, device),
      config_(identity(device.type()), kBars),
      msix_(vectors(device), sink),
      queue_vectors_(device.queue_count(), kNoVector) {
  CHECK(msix_.table_size() <= kPart && device.queue_count() * kNotifyStride <= kPart,
        "a device's queues fit the BAR");
  add_capabilities();
}

void PciTransport::add_capabilities() {
  // cfg_type, bar, id, padding, offset and length (4.1.4), behind the length of it all.
  const auto add = [this](Kind kind, u64 offset, u64 length, std::span<const u8> more = {},
                          std::span<const u8> writable = {}) {
    std::vector<u8> body(kCapabilitySize - 2);
    body[0] = static_cast<u8>(kCapabilitySize + more.size());
    body[1] = static_cast<u8>(kind);
    const auto bytes = std::as_writable_bytes(std::span(body));
    store_le(bytes.subspan(6, 4), offset);
    store_le(bytes.subspan(10, 4), length);
    body.insert(body.end(), more.begin(), more.end());
    return config_.add_capability(kVendorCapability, body, writable);
  };
  add(Kind::kRegisters, kCommon, kCommonSize);
  add(Kind::kNotifications, kNotify, device().queue_count() * kNotifyStride,
      std::array<u8, 4>{kNotifyStride});
  add(Kind::kIsrStatus, kIsr, 1);
  add(Kind::kDevice, kDeviceConfig, kPart);
  std::array<u8, kCapabilitySize + 2> writable{};
  writable[2] = 0xff;                                         // the BAR
  std::fill(writable.begin() + 6, writable.end(), u8{0xff});  // offset, length and data
  window_capability_ = add(Kind::kWindow, 0, 0, std::array<u8, 4>{}, writable);
  msix_capability_ = msix_.add_capability(config_, kBar, kTable, kPending);
}

pci::Bars PciTransport::bars() const {
  return kBars;
}

void PciTransport::place_bar(u32 bar, Gpa home) {
  const std::lock_guard guard(config_lock_);
  config_.place_bar(bar, home);
  home_ = home;
}

Gpa PciTransport::home() const {
  const std::lock_guard guard(config_lock_);
  return home_;
}

bool PciTransport::answers(u32 bar) const {
  const std::lock_guard guard(config_lock_);
  return config_.answers(bar);
}

/// Where the window into the BAR is (4.1.4.9); false when it is nowhere.
bool PciTransport::window(u64& offset, std::size_t& width) const {
  offset = config_.value(window_capability_ + kWindowOffset, 4);
  width = config_.value(window_capability_ + kWindowLength, 4);
  return config_.value(window_capability_ + kWindowBar, 1) == kBar &&
         (width == 1 || width == 2 || width == 4) && offset % width == 0 &&
         offset + width <= kBarSize;
}

/// An access that touches the window's data has the register behind it read first, or written
/// afterwards; decoding need not be on.
void PciTransport::read_config(u32 offset, std::span<std::byte> data) {
  const std::lock_guard guard(config_lock_);
  const u32 window_data = window_capability_ + kWindowData;
  u64 target = 0;
  std::size_t width = 0;
  if (offset / 4 == window_data / 4 && window(target, width)) {
    std::array<std::byte, 4> value{};
    read_bar(kBar, target, std::span(value).first(width));
    config_.write(window_data, value);
  }
  config_.read(offset, data);
}

void PciTransport::write_config(u32 offset, std::span<const std::byte> data) {
  const std::lock_guard guard(config_lock_);
  config_.write(offset, data);
  msix_.set_control(static_cast<u16>(config_.value(msix_capability_ + 2, 2)));
  const u32 window_data = window_capability_ + kWindowData;
  u64 target = 0;
  std::size_t width = 0;
  if (offset / 4 != window_data / 4 || !window(target, width)) return;
  std::array<std::byte, 4> value{};
  config_.read(window_data, value);
  write_bar(kBar, target, std::span(value).first(width));
}

void PciTransport::read_bar(u32, u64 offset, std::span<std::byte> data) {
  const u64 within = offset % kPart;
  switch (offset - within) {
    case kCommon:
      if (data.size() != width_at(offset)) return fill_ones(data);
      return store_le(data, read_common(offset));
    case kIsr:
      if (within != 0 || data.size() != 1) return fill_ones(data);
      return store_le(data, acknowledge(~u32{0}));  // reading clears it (4.1.4.5)
    case kDeviceConfig: {
      const auto guard = lock();
      return device().read_config(within, data);
    }
    case kTable:
      return msix_.read_table(within, data);
    case kPending:
      return msix_.read_pending(within, data);
    default:
      return fill_ones(data);
  }
}

void PciTransport::write_bar(u32, u64 offset, std::span<const std::byte> data) {
  const u64 within = offset % kPart;
  switch (offset - within) {
    case kCommon: {
      if (data.size() != width_at(offset)) return;
      const auto guard = lock();
      if (!is_abandoned()) write_common(offset, static_cast<u32>(load_le(data)));
      return;
    }
    case kNotify: {
      // Usually KVM signals the descriptor itself and this is not reached.
      const auto queue = static_cast<u32>(within / kNotifyStride);
      if (within % kNotifyStride == 0 && queue < device().queue_count()) {
        signal_eventfd(device().kick_fd(queue));
      }
      return;
    }
    case kDeviceConfig: {
      const auto guard = lock();
      return device().write_config(within, data);
    }
    case kTable:
      return msix_.write_table(within, data);
    default:
      return;
  }
}

u32 PciTransport::read_common(u64 offset) {
  const auto guard = lock();
  const QueueState* const queue = selected();
  switch (offset) {
    case kDeviceFeatureSelect:
      return selection().device_features_word;
    case kDeviceFeature:
      return device_features();
    case kDriverFeatureSelect:
      return selection().driver_features_word;
    case kDriverFeature:
      return driver_features();
    case kConfigVector: {
      const auto interrupt_guard = lock_interrupt();
      return config_vector_;
    }
    case kQueueCount:
      return device().queue_count();
    case kStatus:
      return status();
    case kConfigGeneration:
      return device().config_generation() & 0xff;
    case kQueueSelect:
      return selection().queue;
    case kQueueVector:
      return vector(selection().queue);
    default:
      break;
  }
  if (queue == nullptr) return 0;
  const QueueLayout& layout = queue->layout;
  switch (offset) {
    case kQueueSize:
      return layout.size != 0 ? layout.size : device().max_queue_size();
    case kQueueEnable:
      return queue->ready ? 1 : 0;
    case kQueueNotifyOffset:
      return selection().queue;
    case kQueueDescLow:
    case kQueueDescHigh:
      return half(layout.descriptors, offset == kQueueDescHigh);
    case kQueueDriverLow:
    case kQueueDriverHigh:
      return half(layout.available, offset == kQueueDriverHigh);
    case kQueueDeviceLow:
    case kQueueDeviceHigh:
      return half(layout.used, offset == kQueueDeviceHigh);
    default:
      return 0;  // no notification data; a queue's reset has ended when its write returns
  }
}

void PciTransport::write_common(u64 offset, u32 value) {
  switch (offset) {
    case kDeviceFeatureSelect:
      selection().device_features_word = value;
      break;
    case kDriverFeatureSelect:
      selection().driver_features_word = value;
      break;
    case kDriverFeature:
      write_driver_features(value);
      break;
    case kConfigVector:
      set_vector(config_vector_, value);
      break;
    case kStatus:
      write_status(value);
      if (value == 0 && !is_abandoned()) forget_vectors();
      break;
    case kQueueSelect:
      selection().queue = value;
      break;
    default:
      write_queue_register(offset, value);
      break;
  }
}

void PciTransport::write_queue_register(u64 offset, u32 value) {
  if (selected() == nullptr) return;
  if (offset == kQueueVector) return set_vector(queue_vectors_[selection().queue], value);
  if (offset == kQueueReset) {
    if (value == 1) reset_selected_queue();
    return;
  }
  QueueLayout* const layout = movable();
  if (layout == nullptr) return;
  switch (offset) {
    case kQueueSize:
      layout->size = static_cast<u16>(value);
      break;
    case kQueueEnable:
      if (value != 1) return;
      // A driver that is content with the size that it read need not write it.
      if (layout->size == 0) layout->size = device().max_queue_size();
      set_queue_ready(true);
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

u16 PciTransport::vector(u32 queue) const {
  const auto guard = lock_interrupt();
  return queue < queue_vectors_.size() ? queue_vectors_[queue] : kNoVector;
}

/// A vector that does not exist reads back as none, by which the driver learns of it (4.1.5.1.2).
void PciTransport::set_vector(u16& vector, u32 value) {
  const auto guard = lock_interrupt();
  vector = value < msix_.vectors() ? static_cast<u16>(value) : kNoVector;
}

void PciTransport::forget_vectors() {
  const auto guard = lock_interrupt();
  config_vector_ = kNoVector;
  std::fill(queue_vectors_.begin(), queue_vectors_.end(), kNoVector);
  msix_.forget_pending();
}

void PciTransport::interrupt(u32 reason, u32 queue) {
  msix_.raise(reason == kConfigChange ? config_vector_ : queue_vectors_[queue]);
}

PciTransport::State PciTransport::save() const {
  State state{.driver = Transport::save(), .config = {}, .msix = msix_.save(), .queue_vectors = {}};
  {
    const std::lock_guard guard(config_lock_);
    state.config = config_.save();
  }
  const auto guard = lock_interrupt();
  state.config_vector = config_vector_;
  state.queue_vectors = queue_vectors_;
  return state;
}

void PciTransport::restore(const State& state) {
  Transport::restore(state.driver);
  {
    const std::lock_guard guard(config_lock_);
    config_.restore(state.config);
    msix_.set_control(static_cast<u16>(config_.value(msix_capability_ + 2, 2)));
  }
  msix_.restore(state.msix);
  set_vector(config_vector_, state.config_vector);
  for (std::size_t i = 0; i < queue_vectors_.size(); ++i) {
    set_vector(queue_vectors_[i],
               i < state.queue_vectors.size() ? state.queue_vectors[i] : kNoVector);
  }
}

}  // namespace mote::virtio
