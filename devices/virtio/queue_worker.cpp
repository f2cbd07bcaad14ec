// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/queue_worker.hpp"

#include <cerrno>
#include <utility>

namespace mote::virtio {

void QueueKick::aim_at(QueueWorker& worker) {
  if (std::exchange(worker_, &worker) == nullptr) read();
}

void QueueKick::read() {
  loop_.read(kick_.fd(), std::as_writable_bytes(std::span(&count_, 1)),
             Completion::to<&QueueKick::on_kick>(this));
}

void QueueKick::on_kick(i32 result) {
  if (result == -ECANCELED) return;
  read();
  worker_->on_kick();
}

QueueWorker::QueueWorker(QueueOwner& owner, std::shared_ptr<QueueKick> kick)
    : owner_(owner),
      loop_(kick->loop()),
      kick_(std::move(kick)),
      chain_(kMaxQueueSize),
      alarm_(loop_) {
  alarm_.set_handler(*this);
}

void QueueWorker::start(u32 index, const Queue& queue) {
  next_index_ = index;
  next_queue_ = queue;
  loop_.post(Completion::to<&QueueWorker::on_start>(this));
}

void QueueWorker::stop(Countdown& rested) {
  // ORDER: posted after `on_start`, which therefore runs first.
  next_rested_ = &rested;
  loop_.post(Completion::to<&QueueWorker::on_stop>(this));
}

void QueueWorker::limits_changed() {
  loop_.post(Completion::to<&QueueWorker::on_limits_changed>(this));
}

void QueueWorker::on_start(i32) {
  index_ = next_index_;
  queue_ = next_queue_;
  broken_ = limited_ = starved_ = false;
  running_ = true;
  kick_->aim_at(*this);
  if (!begin_queue()) return give_up();
  wake();
}

void QueueWorker::on_stop(i32) {
  rested_ = next_rested_;
  end_queue();
  if (is_idle()) come_to_rest();
}

void QueueWorker::come_to_rest() {
  running_ = false;
  alarm_.cancel();
  publish();
  std::exchange(rested_, nullptr)->arrive();
}

void QueueWorker::on_kick() {
  if (running_) wake();
}

bool QueueWorker::work() {
  if (!running_) return false;
  queue_->suppress_kicks();
  publish();
  starved_ = false;
  const bool took = may_take() && !limited_ && serve();
  publish();
  return took;
}

bool QueueWorker::rest() {
  if (!may_take() || limited_ || starved_ || !wants_more()) return false;
  return queue_->request_kicks();
}

void QueueWorker::on_alarm() {
  limited_ = false;
  if (running_) wake();
}

/// Shows the driver what has ended, and interrupts it once for all of that.
void QueueWorker::publish() {
  if (queue_->publish()) owner_.events->on_used(index_);
}

bool QueueWorker::has_room() {
  if (loop_.has_room()) return true;
  starved_ = true;
  loop_.wait_for_room(*this);
  return false;
}

bool QueueWorker::pop(Chain& chain) {
  switch (queue_->pop(owner_.memory, chain)) {
    case Queue::Pop::kChain:
      return true;
    case Queue::Pop::kBroken:
      give_up();
      break;
    case Queue::Pop::kEmpty:
      break;
  }
  return false;
}

bool QueueWorker::admits(RateLimiter& limiter, u64 bytes) {
  if (!limiter.limits()) return true;
  const u64 now = alarm_.now_ns();
  const u64 wait = limiter.admit(bytes, now);
  if (wait == 0) return true;
  limited_ = true;
  throttled_.add();
  alarm_.arm(now + wait);
  return false;
}

void QueueWorker::finished() {
  if (rested_ != nullptr && is_idle()) return come_to_rest();
  wake();
}

void QueueWorker::give_up() {
  broken_ = true;
  owner_.log_limiter.log(LogLevel::kWarn,
                         "%s: the guest broke the rules of its queue -- it has to reset the device",
                         owner_.title.c_str());
  owner_.events->on_broken();
}

}  // namespace mote::virtio
