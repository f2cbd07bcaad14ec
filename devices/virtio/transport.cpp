// SPDX-License-Identifier: Apache-2.0
// A device under its driver; see transport.hpp. Section numbers are Virtio 1.2's.
#include "devices/virtio/transport.hpp"

#include <algorithm>
#include <utility>

namespace mote::virtio {
namespace {

// Device status (2.1).
constexpr u32 kFeaturesOk = 8;
constexpr u32 kDriverOk = 4;
constexpr u32 kNeedsReset = 64;
constexpr u32 kDriverBits = 1 | 2 | kDriverOk | kFeaturesOk | 128;

u32 word(u64 value, u32 number) {
  return number < 2 ? static_cast<u32>(value >> (32 * number)) : 0;
}

}  // namespace

Transport::Transport(const GuestMemory& memory, Device& device)
    : memory_(memory), device_(device), queues_(device.queue_count()) {
  device_.set_events(*this);
}

u64 Transport::offered_features() const {
  return device_.features() | feature::kVersion1 | feature::kEventIdx | feature::kIndirectDesc |
         feature::kRingReset;
}

/// Whether a driver may go on with these features (2.2.2): no legacy driver, nothing invented.
bool Transport::is_acceptable(u64 features) const {
  return (features & feature::kVersion1) != 0 && (features & ~offered_features()) == 0;
}

u32 Transport::device_features() const {
  return word(offered_features(), selection_.device_features_word);
}

u32 Transport::driver_features() const {
  return word(driver_features_, selection_.driver_features_word);
}

/// Negotiation has ended with FEATURES_OK (3.1.1).
void Transport::write_driver_features(u32 value) {
  const u32 number = selection_.driver_features_word;
  if ((status_ & kFeaturesOk) != 0 || number > 1) return;
  const u32 shift = 32 * number;
  driver_features_ = (driver_features_ & ~(u64{~u32{0}} << shift)) | (u64{value} << shift);
}

u32 Transport::status() const {
  return status_ | (broken_ ? kNeedsReset : 0);
}

void Transport::write_status(u32 value) {
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

const Transport::QueueState* Transport::selected() const {
  return selection_.queue < queues_.size() ? &queues_[selection_.queue] : nullptr;
}

QueueLayout* Transport::movable() {
  if (selection_.queue >= queues_.size()) return nullptr;
  RunningQueue& queue = queues_[selection_.queue];
  return queue.ready ? nullptr : &queue.layout;
}

void Transport::set_queue_ready(bool ready) {
  RunningQueue& queue = queues_[selection_.queue];
  if (queue.ready == ready) return;
  if (!ready) return reset_queue(queue);
  queue.ready = true;
  if ((status_ & kDriverOk) != 0) start_queue(selection_.queue);
}

void Transport::reset_selected_queue() {
  const bool negotiated =
      (status_ & kFeaturesOk) != 0 && (driver_features_ & feature::kRingReset) != 0;
  if (negotiated && selection_.queue < queues_.size()) reset_queue(queues_[selection_.queue]);
}

void Transport::reset_queue(RunningQueue& queue) {
  if (queue.started) {
    queue.started = false;
    drain_.expect();
    device_.stop(static_cast<u32>(&queue - queues_.data()), drain_);
    if (!drain_.wait()) return;
  }
  static_cast<QueueState&>(queue) = {};
}

void Transport::start_queue(u32 index) {
  if (broken_) return;  // serves nothing more before a reset
  RunningQueue& queue = queues_[index];
  const auto mapped = queue.layout.size <= device_.max_queue_size()
                          ? Queue::map(memory_, queue.layout, driver_features_, queue.position)
                          : std::nullopt;
  if (!mapped) return on_broken();
  queue.started = true;
  device_.start(index, *mapped);
}

void Transport::start_ready_queues() {
  for (u32 index = 0; index < queues_.size(); ++index) {
    if (queues_[index].ready && !queues_[index].started) start_queue(index);
  }
}

/// Notes where the queues stood. False when the wait was abandoned: the device is not at rest.
bool Transport::stop_queues() {
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

void Transport::reset() {
  if (!stop_queues()) return;
  device_.reset();
  std::fill(queues_.begin(), queues_.end(), RunningQueue{});
  status_ = 0;
  selection_ = {};
  driver_features_ = 0;
  broken_ = false;
  set_live(false);
  acknowledge(~u32{0});
}

void Transport::on_broken() {
  broken_ = true;
  raise(kConfigChange, 0);
}

/// No interrupts before DRIVER_OK (3.1.1), but a driver may have read the configuration by then: it
/// is told of a change as soon as it may be.
void Transport::raise(u32 reason, u32 queue) {
  const std::lock_guard guard(interrupt_lock_);
  if (!live_) {
    config_changed_early_ |= reason == kConfigChange;
    return;
  }
  interrupt_status_ |= reason;
  interrupt(reason, queue);
}

void Transport::set_live(bool live) {
  const std::lock_guard guard(interrupt_lock_);
  live_ = live;
  if (!std::exchange(config_changed_early_, false) || !live) return;
  interrupt_status_ |= kConfigChange;
  interrupt(kConfigChange, 0);
}

u32 Transport::reasons() const {
  const std::lock_guard guard(interrupt_lock_);
  return interrupt_status_;
}

u32 Transport::acknowledge(u32 reasons) {
  const std::lock_guard guard(interrupt_lock_);
  const u32 before = std::exchange(interrupt_status_, interrupt_status_ & ~reasons);
  if (interrupt_status_ == 0) end_interrupt();
  return before & reasons;
}

void Transport::abandon() {
  drain_.abandon();
  device_.abandon();
}

void Transport::pause() {
  const std::lock_guard guard(lock_);
  if (!drain_.is_abandoned()) stop_queues();
}

void Transport::resume() {
  const std::lock_guard guard(lock_);
  if (drain_.is_abandoned()) return;
  if ((status_ & kDriverOk) != 0) start_ready_queues();
}

Transport::State Transport::save() const {
  const std::lock_guard guard(lock_);
  State state{.status = status(),
              .device_features_word = selection_.device_features_word,
              .driver_features_word = selection_.driver_features_word,
              .driver_features = driver_features_,
              .selected_queue = selection_.queue,
              .queues = {}};
  state.queues.assign(queues_.begin(), queues_.end());
  const std::lock_guard interrupt_guard(interrupt_lock_);
  state.interrupt_status = interrupt_status_;
  state.config_changed_early = config_changed_early_;
  return state;
}

void Transport::restore(const State& state) {
  const std::lock_guard guard(lock_);
  status_ = state.status & kDriverBits;
  broken_ = (state.status & kNeedsReset) != 0;
  selection_ = {state.device_features_word, state.driver_features_word, state.selected_queue};
  driver_features_ = state.driver_features;
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
