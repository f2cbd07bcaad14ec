// SPDX-License-Identifier: Apache-2.0
// The registers of virtio-mmio; see mmio.hpp. Section numbers are Virtio 1.2's.
#include "devices/virtio/mmio.hpp"

#include <algorithm>
#include <utility>

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

// Device status (2.1).
constexpr u32 kFeaturesOk = 8;
constexpr u32 kDriverOk = 4;
constexpr u32 kNeedsReset = 64;
constexpr u32 kDriverBits = 1 | 2 | kDriverOk | kFeaturesOk | 128;

u32 word(u64 value, u32 number) {
  return number < 2 ? static_cast<u32>(value >> (32 * number)) : 0;
}

void set_word(u64& value, u32 number, u32 bits) {
  if (number > 1) return;
  const u32 shift = 32 * number;
  value = (value & ~(u64{~u32{0}} << shift)) | (u64{bits} << shift);
}

void set_half(Gpa& address, bool high, u32 bits) {
  u64 raw = address.raw();
  set_word(raw, high ? 1 : 0, bits);
  address = Gpa(raw);
}

}  // namespace

MmioTransport::MmioTransport(const GuestMemory& memory, Device& device, IrqLine& line)
    : memory_(memory), device_(device), line_(line), queues_(device.queue_count()) {
  device_.set_events(*this);
}

void MmioTransport::read(u64 offset, std::span<std::byte> data) {
  if (offset >= kConfig) {
    const std::lock_guard guard(lock_);
    device_.read_config(offset - kConfig, data);
  } else if (data.size() == 4 && offset % 4 == 0) {
    store_le(data, read_register(offset));
  } else {
    fill_ones(data);
  }
}

void MmioTransport::write(u64 offset, std::span<const std::byte> data) {
  if (offset >= kConfig) {
    const std::lock_guard guard(lock_);
    device_.write_config(offset - kConfig, data);
  } else if (data.size() == 4 && offset % 4 == 0) {
    write_register(offset, static_cast<u32>(load_le(data)));
  }
}

u64 MmioTransport::offered_features() const {
  return device_.features() | feature::kVersion1 | feature::kEventIdx | feature::kIndirectDesc |
         feature::kRingReset;
}

/// Whether a driver may go on with these features (2.2.2): no legacy driver, nothing invented.
bool MmioTransport::is_acceptable(u64 features) const {
  return (features & feature::kVersion1) != 0 && (features & ~offered_features()) == 0;
}

u32 MmioTransport::status() const {
  return status_ | (broken_ ? kNeedsReset : 0);
}

MmioTransport::RunningQueue* MmioTransport::selected() {
  return selected_queue_ < queues_.size() ? &queues_[selected_queue_] : nullptr;
}

u32 MmioTransport::read_register(u64 offset) {
  if (offset == kInterruptStatus) {
    const std::lock_guard guard(interrupt_lock_);
    return interrupt_status_;
  }
  const std::lock_guard guard(lock_);
  const RunningQueue* queue = selected();
  switch (offset) {
    case kMagic:
      return kMagicValue;
    case kVersion:
      return 2;
    case kDeviceId:
      return device_.type();
    case kVendorId:
      return kVendorValue;
    case kDeviceFeatures:
      return word(offered_features(), device_features_word_);
    case kQueueSizeMax:
      return queue != nullptr ? device_.max_queue_size() : 0;
    case kQueueReady:
      return queue != nullptr && queue->ready ? 1 : 0;
    case kQueueReset:
      return 0;  // a reset has ended when the write that asked for it returns
    case kStatus:
      return status();
    case kConfigGeneration:
      return device_.config_generation();
    default:
      // No shared memory (4.2.2): length and base read as all ones.
      return offset >= kShmLenLow && offset <= kShmBaseHigh ? ~u32{0} : 0;
  }
}

void MmioTransport::write_register(u64 offset, u32 value) {
  if (offset == kQueueNotify) {
    // Usually KVM signals the descriptor itself and this is not reached.
    if (value < queues_.size()) signal_eventfd(device_.kick_fd(value));
    return;
  }
  if (offset == kInterruptAck) return acknowledge(value);
  const std::lock_guard guard(lock_);
  // Queues whose rest nobody waited for must not be touched again; the guest ends in any case.
  if (drain_.is_abandoned()) return;
  switch (offset) {
    case kDeviceFeaturesSel:
      device_features_word_ = value;
      break;
    case kDriverFeaturesSel:
      driver_features_word_ = value;
      break;
    case kDriverFeatures:
      // Negotiation has ended with FEATURES_OK (3.1.1).
      if ((status_ & kFeaturesOk) == 0) set_word(driver_features_, driver_features_word_, value);
      break;
    case kQueueSel:
      selected_queue_ = value;
      break;
    case kStatus:
      write_status(value);
      break;
    default:
      write_queue_register(offset, value);
      break;
  }
}

void MmioTransport::write_status(u32 value) {
  if (value == 0) return reset();
  u32 added = value & kDriverBits & ~status_;
  if ((added & kFeaturesOk) != 0) {
    if (is_acceptable(driver_features_)) {
      device_.set_driver_features(driver_features_);
    } else {
      added &= ~kFeaturesOk;
    }
  }
  if (((status_ | added) & kFeaturesOk) == 0) added &= ~kDriverOk;
  status_ |= added;
  if ((added & kDriverOk) == 0) return;
  set_live(true);
  start_ready_queues();
}

void MmioTransport::write_queue_register(u64 offset, u32 value) {
  RunningQueue* queue = selected();
  if (queue == nullptr) return;
  if (offset == kQueueReady) {
    if (value <= 1) set_queue_ready(*queue, value == 1);
    return;
  }
  if (offset == kQueueReset) {
    const bool negotiated =
        (status_ & kFeaturesOk) != 0 && (driver_features_ & feature::kRingReset) != 0;
    if (value == 1 && negotiated) reset_queue(*queue);
    return;
  }
  if (queue->ready) return;  // the driver must not move a queue in use (4.2.2.2)
  switch (offset) {
    case kQueueSize:
      queue->layout.size = static_cast<u16>(std::min(value, u32{0xffff}));
      break;
    case kQueueDescLow:
    case kQueueDescHigh:
      set_half(queue->layout.descriptors, offset == kQueueDescHigh, value);
      break;
    case kQueueDriverLow:
    case kQueueDriverHigh:
      set_half(queue->layout.available, offset == kQueueDriverHigh, value);
      break;
    case kQueueDeviceLow:
    case kQueueDeviceHigh:
      set_half(queue->layout.used, offset == kQueueDeviceHigh, value);
      break;
    default:
      break;
  }
}

/// Before DRIVER_OK a queue is only marked; later it starts at once (2.6.1.2). Taking the mark away
/// from a queue that runs stops it, for drivers that put devices to rest that way (4.2.2.2).
void MmioTransport::set_queue_ready(RunningQueue& queue, bool ready) {
  if (queue.ready == ready) return;
  if (!ready) return reset_queue(queue);
  queue.ready = true;
  if ((status_ & kDriverOk) != 0) start_queue(selected_queue_);
}

void MmioTransport::reset_queue(RunningQueue& queue) {
  if (queue.started) {
    queue.started = false;
    drain_.expect();
    device_.stop(static_cast<u32>(&queue - queues_.data()), drain_);
    if (!drain_.wait()) return;
  }
  static_cast<QueueState&>(queue) = {};
}

void MmioTransport::start_queue(u32 index) {
  if (broken_) return;  // serves nothing more before a reset
  RunningQueue& queue = queues_[index];
  const auto mapped = queue.layout.size <= device_.max_queue_size()
                          ? Queue::map(memory_, queue.layout, driver_features_, queue.position)
                          : std::nullopt;
  if (!mapped) return on_broken();
  queue.started = true;
  device_.start(index, *mapped);
}

void MmioTransport::start_ready_queues() {
  for (u32 index = 0; index < queues_.size(); ++index) {
    if (queues_[index].ready && !queues_[index].started) start_queue(index);
  }
}

/// Notes where the queues stood. False when the wait was abandoned: the device is not at rest.
bool MmioTransport::stop_queues() {
  for (u32 index = 0; index < queues_.size(); ++index) {
    if (!queues_[index].started) continue;
    drain_.expect();
    device_.stop(index, drain_);
  }
  if (!drain_.wait()) return false;
  for (u32 index = 0; index < queues_.size(); ++index) {
    if (!std::exchange(queues_[index].started, false)) continue;
    queues_[index].position = device_.position(index);
  }
  return true;
}

void MmioTransport::reset() {
  if (!stop_queues()) return;
  device_.reset();
  std::fill(queues_.begin(), queues_.end(), RunningQueue{});
  status_ = 0;
  device_features_word_ = driver_features_word_ = 0;
  driver_features_ = 0;
  selected_queue_ = 0;
  broken_ = false;
  set_live(false);
  acknowledge(~u32{0});
}

void MmioTransport::on_broken() {
  broken_ = true;
  raise(kConfigChange);
}

/// No interrupts before DRIVER_OK (3.1.1), but a driver may have read the configuration by then: it
/// is told of a change as soon as it may be. Driven each time, also when the line is high: see
/// IrqLine.
void MmioTransport::raise(u32 reason) {
  const std::lock_guard guard(interrupt_lock_);
  if (!live_) {
    config_changed_early_ |= reason == kConfigChange;
    return;
  }
  interrupt_status_ |= reason;
  line_.set_level(true);
}

void MmioTransport::set_live(bool live) {
  const std::lock_guard guard(interrupt_lock_);
  live_ = live;
  if (!std::exchange(config_changed_early_, false) || !live) return;
  interrupt_status_ |= kConfigChange;
  line_.set_level(true);
}

void MmioTransport::acknowledge(u32 reasons) {
  const std::lock_guard guard(interrupt_lock_);
  interrupt_status_ &= ~reasons;
  if (interrupt_status_ == 0) line_.set_level(false);
}

void MmioTransport::abandon() {
  drain_.abandon();
  device_.abandon();
}

void MmioTransport::pause() {
  const std::lock_guard guard(lock_);
  if (!drain_.is_abandoned()) stop_queues();
}

void MmioTransport::resume() {
  const std::lock_guard guard(lock_);
  if (drain_.is_abandoned()) return;
  if ((status_ & kDriverOk) != 0) start_ready_queues();
}

MmioTransport::State MmioTransport::save() const {
  const std::lock_guard guard(lock_);
  State state{.status = status(),
              .device_features_word = device_features_word_,
              .driver_features_word = driver_features_word_,
              .driver_features = driver_features_,
              .selected_queue = selected_queue_,
              .queues = {}};
  state.queues.assign(queues_.begin(), queues_.end());
  const std::lock_guard interrupt_guard(interrupt_lock_);
  state.interrupt_status = interrupt_status_;
  state.config_changed_early = config_changed_early_;
  return state;
}

void MmioTransport::restore(const State& state) {
  const std::lock_guard guard(lock_);
  status_ = state.status & kDriverBits;
  broken_ = (state.status & kNeedsReset) != 0;
  device_features_word_ = state.device_features_word;
  driver_features_word_ = state.driver_features_word;
  driver_features_ = state.driver_features;
  selected_queue_ = state.selected_queue;
  if (!is_acceptable(driver_features_)) status_ &= ~kFeaturesOk;
  if ((status_ & kFeaturesOk) == 0) status_ &= ~kDriverOk;
  if ((status_ & kFeaturesOk) != 0) device_.set_driver_features(driver_features_);
  std::fill(queues_.begin(), queues_.end(), RunningQueue{});
  for (std::size_t i = 0; i < std::min(queues_.size(), state.queues.size()); ++i) {
    static_cast<QueueState&>(queues_[i]) = state.queues[i];
  }
  const std::lock_guard interrupt_guard(interrupt_lock_);
  live_ = (status_ & kDriverOk) != 0;
  interrupt_status_ = live_ ? state.interrupt_status & (kUsedBuffer | kConfigChange) : 0;
  config_changed_early_ = !live_ && state.config_changed_early;
}

}  // namespace mote::virtio
