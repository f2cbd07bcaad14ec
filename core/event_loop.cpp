// SPDX-License-Identifier: Apache-2.0
#include "core/event_loop.hpp"

#include <cerrno>
#include <utility>

#include "core/check.hpp"

namespace mote {
namespace {

constexpr u32 kEntries = 64;
constexpr u32 kNoOperation = ~u32{0};
/// `user_data` of entries whose completion nobody waits for (cancellations).
constexpr u64 kIgnored = ~u64{0};

constexpr u64 pack(OperationId id) {
  return (u64{id.generation} << 32) | id.index;
}

constexpr const char* kRemedy =
    "Mote does all of its I/O through io_uring: allow it with 'sysctl kernel.io_uring_disabled=0', "
    "or "
    "in the container's seccomp profile";

/// Makes the ring with the flags this kernel has: tried, not guessed from a version.
int init_ring(io_uring& ring) {
  constexpr u32 kWanted[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                             IORING_SETUP_COOP_TASKRUN, 0};
  int error = 0;
  for (const u32 flags : kWanted) {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | flags;
    parameters.cq_entries = 4 * kEntries;
    error = io_uring_queue_init_params(kEntries, &ring, &parameters);
    if (error != -EINVAL) return error;
  }
  return error;
}

/// From here on the ring can do what the loop offers and nothing else: seccomp does not see what a
/// ring is asked for.
int restrict_ring(io_uring& ring) {
  constexpr u8 kOpcodes[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_POLL_ADD,
                             IORING_OP_ASYNC_CANCEL};
  io_uring_restriction rules[std::size(kOpcodes) + 1] = {};
  for (std::size_t i = 0; i < std::size(kOpcodes); ++i) {
    rules[i].opcode = IORING_RESTRICTION_SQE_OP;
    rules[i].sqe_op = kOpcodes[i];
  }
  rules[std::size(kOpcodes)].opcode = IORING_RESTRICTION_REGISTER_OP;
  rules[std::size(kOpcodes)].register_op = IORING_REGISTER_ENABLE_RINGS;
  return io_uring_register_restrictions(&ring, rules, std::size(rules));
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  EventFd wake = TRY(EventFd::create());
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(wake)));
  if (const int error = init_ring(loop->ring_); error < 0) {
    loop->ring_.ring_fd = -1;
    return Error::from_errno(-error, "cannot set up an io_uring", kRemedy);
  }
  if (const int error = restrict_ring(loop->ring_); error < 0) {
    return Error::from_errno(-error, "cannot restrict the io_uring",
                             "Mote needs Linux 5.10 or newer");
  }
  return loop;
}

EventLoop::~EventLoop() {
  if (ring_.ring_fd >= 0) io_uring_queue_exit(&ring_);
}

io_uring_sqe* EventLoop::free_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry != nullptr) return entry;
  // Only before `run` could the queue fill up without having been submitted; both ends are ours.
  CHECK(enabled_, "too many operations before the loop runs");
  io_uring_submit(&ring_);
  entry = io_uring_get_sqe(&ring_);
  CHECK(entry != nullptr, "a submitted queue has room");
  return entry;
}

io_uring_sqe* EventLoop::prepare(Completion completion, OperationId& id) {
  if (first_free_ == operations_.size()) {
    operations_.push_back(Operation{{}, 0, first_free_ + 1});
  }
  id.index = first_free_;
  Operation& operation = operations_[id.index];
  first_free_ = operation.next_free;
  operation.next_free = kNoOperation;
  operation.completion = completion;
  id.generation = operation.generation;
  return free_entry();
}

OperationId EventLoop::read(int fd, std::span<std::byte> buffer, Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  // Offset -1: the file's own position, as read(2).
  io_uring_prep_read(entry, fd, buffer.data(), static_cast<u32>(buffer.size()), ~u64{0});
  io_uring_sqe_set_data64(entry, pack(id));
  return id;
}

OperationId EventLoop::write(int fd, std::span<const std::byte> buffer, Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  io_uring_prep_write(entry, fd, buffer.data(), static_cast<u32>(buffer.size()), ~u64{0});
  io_uring_sqe_set_data64(entry, pack(id));
  return id;
}

OperationId EventLoop::poll(int fd, u32 events, Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  io_uring_prep_poll_add(entry, fd, events);
  io_uring_sqe_set_data64(entry, pack(id));
  return id;
}

void EventLoop::cancel(OperationId operation) {
  io_uring_sqe* entry = free_entry();
  io_uring_prep_cancel64(entry, pack(operation), 0);
  io_uring_sqe_set_data64(entry, kIgnored);
}

void EventLoop::post(Completion completion) {
  {
    const std::lock_guard lock(posted_lock_);
    posted_.push_back(completion);
    if (posted_.size() > 1) return;  // the wake-up of the first is under way
  }
  wake_.signal();
}

void EventLoop::stop() {
  post({[](void* loop, i32) { static_cast<EventLoop*>(loop)->stopping_ = true; }, this});
}

void EventLoop::arm_wake() {
  read(wake_.fd(), std::as_writable_bytes(std::span(&wake_count_, 1)),
       Completion::to<&EventLoop::on_wake>(this));
}

void EventLoop::on_wake(i32) {
  arm_wake();
  {
    const std::lock_guard lock(posted_lock_);
    std::swap(posted_, taken_);
  }
  for (const Completion& task : taken_) task.function(task.context, 0);
  taken_.clear();
}

void EventLoop::dispatch(const io_uring_cqe& entry) {
  if (entry.user_data == kIgnored) return;
  const auto position = static_cast<u32>(entry.user_data);
  const auto generation = static_cast<u32>(entry.user_data >> 32);
  CHECK(position < operations_.size(), "the ring completes what was submitted");
  Operation& operation = operations_[position];
  CHECK(operation.generation == generation, "one completion for each operation");
  const Completion completion = operation.completion;
  ++operation.generation;
  operation.next_free = first_free_;
  first_free_ = position;
  completion.function(completion.context, entry.res);
}

Result<void> EventLoop::run() {
  if (const int error = io_uring_enable_rings(&ring_); error < 0) {
    return Error::from_errno(-error, "cannot enable the io_uring");
  }
  enabled_ = true;
  arm_wake();
  while (!stopping_) {
    const int submitted = io_uring_submit_and_wait(&ring_, 1);
    if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY) {
      return Error::from_errno(-submitted, "cannot wait for io_uring completions");
    }
    io_uring_cqe* entry = nullptr;
    while (io_uring_peek_cqe(&ring_, &entry) == 0) {
      const io_uring_cqe copy = *entry;
      io_uring_cqe_seen(&ring_, entry);
      dispatch(copy);
    }
  }
  return {};
}

}  // namespace mote
