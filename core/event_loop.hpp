// SPDX-License-Identifier: Apache-2.0
// The event loop: one thread, one io_uring. Every wait of the monitor outside KVM_RUN happens here.
#pragma once

#include <liburing.h>
#include <sys/uio.h>

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/buffer_ring.hpp"
#include "core/event_fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Called once with the result of an operation: bytes or an event mask, or a negated errno
/// (-ECANCELED after `cancel`).
struct Completion {
  void (*function)(void* context, i32 result) = nullptr;
  void* context = nullptr;

  /// A completion that calls `(object->*Method)(result)`.
  template <auto Method, class T>
  static Completion to(T* object) {
    return {[](void* context, i32 result) { (static_cast<T*>(context)->*Method)(result); }, object};
  }
};

/// Names one operation in flight. Stale names are harmless: they carry a generation.
struct OperationId {
  u32 index = 0;
  u32 generation = 0;
};

/// A file in the ring's table of fixed files: what `add_file` answered.
enum class FixedFile : u32 {};

/// Work that comes in bursts, such as a queue that the guest fills. While a worker is awake the
/// loop asks it again and again; nobody has to notify it. All calls are on the loop's thread.
class LoopWorker {
 public:
  virtual ~LoopWorker() = default;
  /// Does what there is to do now, in a bounded piece. True when there was anything.
  virtual bool work() = 0;
  /// Nothing came for a while: asks to be notified from now on. True when work has come meanwhile,
  /// which keeps the worker awake; false lets it sleep until `EventLoop::wake`.
  virtual bool rest() = 0;

 private:
  friend class EventLoop;
  bool awake_ = false;
};

/// What a loop is made for.
struct LoopOptions {
  u32 operations = 256;  ///< how many may be in flight; a power of two
  u32 files = 0;         ///< size of the table of fixed files
  /// How long at most the loop looks for work by itself before it sleeps, in nanoseconds. It does
  /// so only while that pays: after a look in vain it sleeps at once, until work comes again within
  /// this time of its going to sleep. 0: never.
  u64 poll_ns = 0;
};

/// Owns the ring. All members but `post` and `stop` are for the loop's thread (the one that calls
/// `run`), or for any one thread before `run` is called. Buffers passed in must live until their
/// completion has been called; vectors of buffers too.
class EventLoop {
 public:
  /// Makes the ring, disabled; `run` restricts it to the operations in use and enables it.
  /// The Error names the remedy where the host switched io_uring off.
  static Result<std::unique_ptr<EventLoop>> create(const LoopOptions& options = {});
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  OperationId read(int fd, std::span<std::byte> buffer, Completion completion);
  OperationId write(int fd, std::span<const std::byte> buffer, Completion completion);
  /// Waits until `fd` has one of `events` (POLLIN, POLLOUT ...).
  OperationId poll(int fd, u32 events, Completion completion);
  /// Asks for an operation's end; its completion is called in any case.
  void cancel(OperationId operation);

  /// Lets reads take their buffers from `buffers`, which outlives the loop's last turn. Before
  /// `run`. False where the kernel cannot (before Linux 6.7): nothing has changed.
  Result<bool> add_buffers(BufferRing& buffers);
  /// Reads from `fd`, which can be polled, into one buffer of `buffers` after the other, until
  /// there is none, an error comes or `cancel` is called. In flight until `on_read_end`.
  OperationId read_on(int fd, const BufferRing& buffers, ReadSink& sink);

  /// Has the kernel find `memory` once for all: reads and writes of a fixed file whose only buffer
  /// lies in one of its pieces (1 GiB each at the most) spare a look-up of pages each. All of it is
  /// made present and pinned for the ring's life. Before `run`, once; the Error names the remedy
  /// where a limit forbids it.
  Result<void> pin_memory(std::vector<iovec> memory);

  /// Puts `fd` into the table of fixed files, which spares the kernel a look-up per operation. The
  /// file stays open there until `remove_file`.
  Result<FixedFile> add_file(int fd);
  void remove_file(FixedFile file);
  /// Puts `*fd` in the place of `file` while the loop runs. Operations that were started before may
  /// still meet either of the two. The result is 1 when the place was taken.
  OperationId update_file(FixedFile file, const int* fd, Completion completion);
  /// write and writev without an offset: for sockets and their like, where all of it is one
  /// message.
  OperationId write(FixedFile file, std::span<const std::byte> buffer, Completion completion);
  OperationId write(FixedFile file, std::span<const iovec> buffers, Completion completion);
  /// preadv2, pwritev2, fdatasync and fallocate of a fixed file. Callers ask `has_room` first.
  OperationId read_at(FixedFile file, std::span<const iovec> buffers, u64 offset,
                      Completion completion);
  OperationId write_at(FixedFile file, std::span<const iovec> buffers, u64 offset, int flags,
                       Completion completion);
  OperationId sync(FixedFile file, Completion completion);
  OperationId allocate(FixedFile file, int mode, u64 offset, u64 length, Completion completion);

  /// Whether one more operation may be started. A worker that is told no calls `wait_for_room`, is
  /// woken when there is room again, and may sleep until then.
  bool has_room() const { return in_flight_ < limit_; }
  void wait_for_room(LoopWorker& worker);
  /// Has `worker` asked for work from now on.
  void wake(LoopWorker& worker);
  /// What comes next is better done in batches: when nothing is left to do the loop sleeps at once,
  /// and that one sleep lasts until two things have happened or `ns` nanoseconds have passed.
  /// Kernels before 5.11 sleep as ever.
  void linger(u64 ns) { linger_ns_ = ns; }

  /// Runs `completion` (with result 0) on the loop's thread, in the order of the calls. Any thread.
  void post(Completion completion);
  /// Makes `run` return after the completions at hand. Any thread.
  void stop();
  /// Restricts the ring to the operations in use and begins. Once, on the thread that will `run`;
  /// what is added to the loop was added before. Afterwards the loop asks the kernel for nothing
  /// but to submit and to wait.
  Result<void> enable();
  /// Serves until `stop`, after `enable` if that has not been called.
  Result<void> run();

 private:
  struct Operation {
    Completion completion;
    ReadSink* sink = nullptr;  // set: many completions, which go here
    u32 generation = 0;
    u32 next_free = 0;
  };
  EventLoop(EventFd wake, const LoopOptions& options);
  io_uring_sqe* prepare(Completion completion, OperationId& id, ReadSink* sink = nullptr);
  static OperationId start(io_uring_sqe* entry, u8 flags, OperationId id);
  std::optional<u16> pinned_piece(const iovec& buffer) const;
  io_uring_sqe* free_entry();
  void set_completions_aside();
  bool take_completion(io_uring_cqe& completion);
  Result<void> submit(u32 wait_for);
  Result<void> sleep();
  bool dispatch_all();
  void dispatch(const io_uring_cqe& entry);
  void deliver(const io_uring_cqe& entry, u32 position);
  void release(u32 position);
  bool run_workers();
  void rest_workers();
  bool may_poll_on();
  void arm_wake();
  void on_wake(i32 result);

  io_uring ring_{};
  bool enabled_ = false;
  bool stopping_ = false;
  std::vector<Operation> operations_;
  u32 first_free_ = 0;
  u32 in_flight_ = 0;
  const u32 limit_;
  std::vector<bool> files_;    // which places of the table are taken
  u16 buffer_rings_ = 0;       // how many there are; their names count from 0
  std::vector<iovec> pinned_;  // by the number that the kernel knows them by

  // What happens when the host does not take a submission.
  std::deque<io_uring_cqe> aside_;  // completions to call, before those in the ring
  int failure_ = 0;                 // errno: the ring is of no use any more

  std::vector<LoopWorker*> awake_;
  std::vector<LoopWorker*> starved_;
  const u64 poll_ns_;
  u64 window_ns_ = 0;      // how long to look now: poll_ns_, or 0 while that does not pay
  u64 idle_since_ns_ = 0;  // when work ran out; 0: it has not
  u64 asleep_since_ns_ = 0;
  u64 linger_ns_ = 0;  // see `linger`; of the next sleep only

  EventFd wake_;
  u64 wake_count_ = 0;
  std::mutex posted_lock_;
  std::vector<Completion> posted_;
  std::vector<Completion> taken_;
};

}  // namespace mote
