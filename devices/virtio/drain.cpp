// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/drain.hpp"

namespace mote::virtio {

void Drain::expect() {
  const std::lock_guard guard(lock_);
  ++pending_;
}

void Drain::arrive() {
  const std::lock_guard guard(lock_);
  if (--pending_ == 0) changed_.notify_all();
}

bool Drain::wait() {
  std::unique_lock guard(lock_);
  changed_.wait(guard, [this] { return pending_ == 0 || abandoned_; });
  return pending_ == 0;
}

bool Drain::wait_for(std::chrono::milliseconds time) {
  std::unique_lock guard(lock_);
  changed_.wait_for(guard, time, [this] { return pending_ == 0 || abandoned_; });
  return pending_ == 0;
}

void Drain::abandon() {
  const std::lock_guard guard(lock_);
  abandoned_ = true;
  changed_.notify_all();
}

bool Drain::is_abandoned() const {
  const std::lock_guard guard(lock_);
  return abandoned_;
}

}  // namespace mote::virtio
