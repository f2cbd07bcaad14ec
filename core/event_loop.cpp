// SPDX-License-Identifier: Apache-2.0
#include "core/event_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "core/check.hpp"
#include "core/clock.hpp"
#include "core/ring.hpp"

namespace mote {
namespace {

/// Operations that are started without asking for room: wake-ups, the console, timers, kicks.
constexpr u32 kReserve = 64;
constexpr u32 kNoOperation = ~u32{0};
/// `user_data` of entries whose completion nobody waits for (cancellations).
constexpr u64 kIgnored = ~u64{0};

constexpr u64 pack(OperationId id) {
  return (u64{id.generation} << 32) | id.index;
}

/// Whether the kernel may take later what it refused with `error`.
bool is_momentary(int error) {
  return error == EINTR || error == EAGAIN || error == EBUSY;
}

}  // namespace

EventLoop::EventLoop(EventFd wake, const LoopOptions& options)
    : limit_(options.operations - kReserve),
      files_(options.files),
      poll_ns_(options.poll_ns),
      wake_(std::move(wake)) {
  CHECK(options.operations > kReserve, "a loop has room for operations");
  operations_.reserve(options.operations);
}

Result<std::unique_ptr<EventLoop>> EventLoop::create(const LoopOptions& options) {
  EventFd wake = TRY(EventFd::create());
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(wake), options));
  TRY(make_ring(loop->ring_, options.operations));
  if (options.files > 0) {
    const std::vector<int> none(options.files, -1);
    const int error = io_uring_register_files(&loop->ring_, none.data(), options.files);
    if (error < 0) return Error::from_errno(-error, "cannot give the io_uring a table of files");
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
  while (entry == nullptr) {
    const int submitted = io_uring_submit(&ring_);
    if (submitted < 0 && !is_momentary(-submitted)) {
      // What is started from now on goes nowhere, and `run` ends.
      failure_ = -submitted;
      static thread_local io_uring_sqe nowhere;
      return &nowhere;
    }
    if (submitted < 0) {
      // The host is short of memory, or of room for completions, which can be had.
      set_completions_aside();
      constexpr timespec kMoment{0, 100'000};
      ::nanosleep(&kMoment, nullptr);
    }
    entry = io_uring_get_sqe(&ring_);
  }
  return entry;
}

/// Callers are in the midst of something: no completion is called before they return.
void EventLoop::set_completions_aside() {
  io_uring_cqe* entry = nullptr;
  while (io_uring_peek_cqe(&ring_, &entry) == 0) {
    aside_.push_back(*entry);
    io_uring_cqe_seen(&ring_, entry);
  }
}

bool EventLoop::take_completion(io_uring_cqe& completion) {
  if (!aside_.empty()) {
    completion = aside_.front();
    aside_.pop_front();
    return true;
  }
  io_uring_cqe* entry = nullptr;
  if (io_uring_peek_cqe(&ring_, &entry) != 0) return false;
  completion = *entry;
  io_uring_cqe_seen(&ring_, entry);
  return true;
}

io_uring_sqe* EventLoop::prepare(Completion completion, OperationId& id, ReadSink* sink) {
  if (first_free_ == operations_.size()) {
    operations_.push_back(Operation{{}, nullptr, 0, first_free_ + 1});
  }
  id.index = first_free_;
  Operation& operation = operations_[id.index];
  first_free_ = operation.next_free;
  operation.next_free = kNoOperation;
  operation.completion = completion;
  operation.sink = sink;
  ++in_flight_;
  id.generation = operation.generation;
  return free_entry();
}

OperationId EventLoop::start(io_uring_sqe* entry, u8 flags, OperationId id) {
  entry->flags = flags;
  io_uring_sqe_set_data64(entry, pack(id));
  return id;
}

OperationId EventLoop::read(int fd, std::span<std::byte> buffer, Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  // Offset -1: the file's own position, as read(2).
  io_uring_prep_read(entry, fd, buffer.data(), static_cast<u32>(buffer.size()), ~u64{0});
  return start(entry, 0, id);
}

OperationId EventLoop::write(int fd, std::span<const std::byte> buffer, Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  io_uring_prep_write(entry, fd, buffer.data(), static_cast<u32>(buffer.size()), ~u64{0});
  return start(entry, 0, id);
}

OperationId EventLoop::poll(int fd, u32 events, Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  io_uring_prep_poll_add(entry, fd, events);
  return start(entry, 0, id);
}

Result<bool> EventLoop::add_buffers(BufferRing& buffers) {
  CHECK(!enabled_, "buffers are added before the loop runs");
  // Who has added buffers knows that they are of use.
  if (buffer_rings_ == 0 && !ring_supports(ring_, kReadMultishot)) return false;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<u64>(buffers.ring());
  registration.ring_entries = buffers.count();
  registration.bgid = buffers.group_ = buffer_rings_;
  const int error = io_uring_register_buf_ring(&ring_, &registration, 0);
  if (error < 0) return Error::from_errno(-error, "cannot hand buffers to the io_uring");
  ++buffer_rings_;
  return true;
}

OperationId EventLoop::read_on(int fd, const BufferRing& buffers, ReadSink& sink) {
  OperationId id;
  io_uring_sqe* entry = prepare({}, id, &sink);
  io_uring_prep_rw(kReadMultishot, entry, fd, nullptr, 0, ~u64{0});
  entry->buf_group = buffers.group_;
  return start(entry, IOSQE_BUFFER_SELECT, id);
}

Result<void> EventLoop::pin_memory(std::vector<iovec> memory) {
  CHECK(!enabled_ && pinned_.empty(), "memory is pinned once, before the loop runs");
  const int error =
      io_uring_register_buffers(&ring_, memory.data(), static_cast<u32>(memory.size()));
  if (error < 0) {
    return Error::from_errno(
        -error, "cannot pin guest RAM for the io_uring",
        "raise the limit of locked memory above RAM times io_threads (ulimit -l), give the host "
        "that much free memory, or leave registered_buffers out");
  }
  pinned_ = std::move(memory);
  return {};
}

/// The number of the piece that all of `buffer` lies in.
std::optional<u16> EventLoop::pinned_piece(const iovec& buffer) const {
  const auto start = reinterpret_cast<u64>(buffer.iov_base);
  for (std::size_t i = 0; i < pinned_.size(); ++i) {
    const auto base = reinterpret_cast<u64>(pinned_[i].iov_base);
    const u64 size = pinned_[i].iov_len;
    if (start >= base && start - base <= size && buffer.iov_len <= size - (start - base)) {
      return static_cast<u16>(i);
    }
  }
  return std::nullopt;
}

Result<FixedFile> EventLoop::add_file(int fd) {
  const auto place = std::find(files_.begin(), files_.end(), false);
  CHECK(place != files_.end(), "the table of fixed files has room");
  const auto index = static_cast<u32>(place - files_.begin());
  const int error = io_uring_register_files_update(&ring_, index, &fd, 1);
  if (error < 0) return Error::from_errno(-error, "cannot hand a file to the io_uring");
  *place = true;
  return FixedFile{index};
}

void EventLoop::remove_file(FixedFile file) {
  const auto index = static_cast<u32>(file);
  const int none = -1;
  io_uring_register_files_update(&ring_, index, &none, 1);
  files_[index] = false;
}

OperationId EventLoop::update_file(FixedFile file, const int* fd, Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  // The kernel only reads it, but liburing does not say so.
  io_uring_prep_files_update(entry, const_cast<int*>(fd), 1, static_cast<int>(file));
  return start(entry, 0, id);
}

OperationId EventLoop::write(FixedFile file, std::span<const std::byte> buffer,
                             Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  io_uring_prep_write(entry, static_cast<int>(file), buffer.data(), static_cast<u32>(buffer.size()),
                      ~u64{0});
  return start(entry, IOSQE_FIXED_FILE, id);
}

OperationId EventLoop::write(FixedFile file, std::span<const iovec> buffers,
                             Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  io_uring_prep_writev(entry, static_cast<int>(file), buffers.data(),
                       static_cast<u32>(buffers.size()), ~u64{0});
  return start(entry, IOSQE_FIXED_FILE, id);
}

OperationId EventLoop::read_at(FixedFile file, std::span<const iovec> buffers, u64 offset,
                               Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  const int index = static_cast<int>(file);
  const auto piece = buffers.size() == 1 ? pinned_piece(buffers[0]) : std::nullopt;
  if (piece) {
    io_uring_prep_read_fixed(entry, index, buffers[0].iov_base,
                             static_cast<u32>(buffers[0].iov_len), offset, *piece);
  } else if (buffers.size() == 1) {
    io_uring_prep_read(entry, index, buffers[0].iov_base, static_cast<u32>(buffers[0].iov_len),
                       offset);
  } else {
    io_uring_prep_readv(entry, index, buffers.data(), static_cast<u32>(buffers.size()), offset);
  }
  return start(entry, IOSQE_FIXED_FILE, id);
}

OperationId EventLoop::write_at(FixedFile file, std::span<const iovec> buffers, u64 offset,
                                int flags, Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  const int index = static_cast<int>(file);
  const auto piece = buffers.size() == 1 ? pinned_piece(buffers[0]) : std::nullopt;
  if (piece) {
    io_uring_prep_write_fixed(entry, index, buffers[0].iov_base,
                              static_cast<u32>(buffers[0].iov_len), offset, *piece);
    entry->rw_flags = flags;
  } else if (buffers.size() == 1) {
    io_uring_prep_write(entry, index, buffers[0].iov_base, static_cast<u32>(buffers[0].iov_len),
                        offset);
    entry->rw_flags = flags;
  } else {
    io_uring_prep_writev2(entry, index, buffers.data(), static_cast<u32>(buffers.size()), offset,
                          flags);
  }
  return start(entry, IOSQE_FIXED_FILE, id);
}

OperationId EventLoop::sync(FixedFile file, Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  io_uring_prep_fsync(entry, static_cast<int>(file), IORING_FSYNC_DATASYNC);
  return start(entry, IOSQE_FIXED_FILE, id);
}

OperationId EventLoop::allocate(FixedFile file, int mode, u64 offset, u64 length,
                                Completion completion) {
  OperationId id;
  io_uring_sqe* entry = prepare(completion, id);
  io_uring_prep_fallocate(entry, static_cast<int>(file), mode, static_cast<off_t>(offset),
                          static_cast<off_t>(length));
  return start(entry, IOSQE_FIXED_FILE, id);
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

void EventLoop::wake(LoopWorker& worker) {
  if (worker.awake_) return;
  if (awake_.empty() && poll_ns_ != 0 && clock_ns(CLOCK_MONOTONIC) - asleep_since_ns_ <= poll_ns_) {
    window_ns_ = poll_ns_;
  }
  worker.awake_ = true;
  awake_.push_back(&worker);
}

void EventLoop::wait_for_room(LoopWorker& worker) {
  if (std::find(starved_.begin(), starved_.end(), &worker) == starved_.end()) {
    starved_.push_back(&worker);
  }
}

bool EventLoop::run_workers() {
  bool worked = false;
  for (std::size_t i = 0; i < awake_.size(); ++i) worked |= awake_[i]->work();
  return worked;
}

void EventLoop::rest_workers() {
  std::erase_if(awake_, [](LoopWorker* worker) { return !(worker->awake_ = worker->rest()); });
  if (awake_.empty() && poll_ns_ != 0) asleep_since_ns_ = clock_ns(CLOCK_MONOTONIC);
}

bool EventLoop::may_poll_on() {
  if (window_ns_ == 0) return false;
  const u64 now = clock_ns(CLOCK_MONOTONIC);
  if (idle_since_ns_ == 0) idle_since_ns_ = now;
  if (now - idle_since_ns_ < window_ns_) return true;
  window_ns_ = 0;
  return false;
}

void EventLoop::dispatch(const io_uring_cqe& entry) {
  if (entry.user_data == kIgnored) return;
  const auto position = static_cast<u32>(entry.user_data);
  const auto generation = static_cast<u32>(entry.user_data >> 32);
  CHECK(position < operations_.size(), "the ring completes what was submitted");
  const Operation& operation = operations_[position];
  CHECK(operation.generation == generation, "one completion for each operation");
  if (operation.sink != nullptr) return deliver(entry, position);
  const Completion completion = operation.completion;
  release(position);
  completion.function(completion.context, entry.res);
}

/// One of an operation's many completions, or its last.
void EventLoop::deliver(const io_uring_cqe& entry, u32 position) {
  ReadSink& sink = *operations_[position].sink;
  const bool ended = (entry.flags & IORING_CQE_F_MORE) == 0;
  if (ended) release(position);
  if ((entry.flags & IORING_CQE_F_BUFFER) != 0) {
    sink.on_read(static_cast<u16>(entry.flags >> IORING_CQE_BUFFER_SHIFT),
                 static_cast<u32>(entry.res));
  }
  if (ended) sink.on_read_end(entry.res);
}

void EventLoop::release(u32 position) {
  Operation& operation = operations_[position];
  ++operation.generation;
  operation.next_free = first_free_;
  first_free_ = position;
  --in_flight_;
}

bool EventLoop::dispatch_all() {
  bool any = false;
  io_uring_cqe completion;
  while (take_completion(completion)) {
    dispatch(completion);
    any = true;
  }
  if (!starved_.empty() && has_room()) {
    for (LoopWorker* worker : starved_) wake(*worker);
    starved_.clear();
  }
  return any;
}

Result<void> EventLoop::submit(u32 wait_for) {
  const int submitted = failure_ != 0 ? -failure_ : io_uring_submit_and_wait(&ring_, wait_for);
  if (submitted < 0 && !is_momentary(-submitted)) {
    return Error::from_errno(-submitted, "cannot wait for io_uring completions");
  }
  return {};
}

Result<void> EventLoop::sleep() {
  const u64 linger_ns = std::exchange(linger_ns_, 0);
  const bool may_linger = failure_ == 0 && (ring_.features & IORING_FEAT_EXT_ARG) != 0;
  if (linger_ns == 0 || !may_linger) return submit(1);
  __kernel_timespec most{};
  most.tv_nsec = static_cast<long long>(linger_ns);
  io_uring_cqe* entry = nullptr;
  const int result = io_uring_submit_and_wait_timeout(&ring_, &entry, 2, &most, nullptr);
  if (result < 0 && result != -ETIME && !is_momentary(-result)) {
    return Error::from_errno(-result, "cannot wait for io_uring completions");
  }
  return {};
}

Result<void> EventLoop::enable() {
  // Spares a look-up per call; kernels before 5.18 do without.
  io_uring_register_ring_fd(&ring_);
  TRY(restrict_ring(ring_,
                    {.provided_buffers = buffer_rings_ > 0, .pinned_memory = !pinned_.empty()}));
  if (const int error = io_uring_enable_rings(&ring_); error < 0) {
    return Error::from_errno(-error, "cannot enable the io_uring");
  }
  enabled_ = true;
  return {};
}

Result<void> EventLoop::run() {
  if (!enabled_) TRY(enable());
  arm_wake();
  while (true) {
    bool worked = dispatch_all();
    if (stopping_) return {};
    worked |= run_workers();
    if (awake_.empty()) {
      TRY(sleep());
      continue;
    }
    if (io_uring_sq_ready(&ring_) > 0) {
      TRY(submit(0));
      worked = true;
    }
    if (worked) {
      idle_since_ns_ = 0;
    } else if (linger_ns_ == 0 && may_poll_on()) {
      __builtin_ia32_pause();
    } else {
      rest_workers();
    }
  }
}

}  // namespace mote
