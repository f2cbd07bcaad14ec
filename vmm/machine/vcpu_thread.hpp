// SPDX-License-Identifier: Apache-2.0
// A vCPU's thread: KVM_RUN, serve the exit, again.
#pragma once

#include <pthread.h>

#include <array>
#include <atomic>
#include <optional>

#include "core/counter.hpp"
#include "core/result.hpp"
#include "core/thread.hpp"
#include "core/thread_role.hpp"
#include "vmm/kvm/vcpu.hpp"
#include "vmm/machine/board.hpp"
#include "vmm/machine/timeline.hpp"

namespace mote {

/// Who is told that a vCPU met the end of the guest. Called on vCPU threads.
class VcpuOwner {
 public:
  virtual ~VcpuOwner() = default;
  virtual void on_triple_fault(u32 vcpu) = 0;
  /// KVM cannot go on; `report` is for people.
  virtual void on_vcpu_failure(std::string report) = 0;
  /// The thread cannot be confined, and its vCPU never runs.
  virtual void on_seal_failure(std::string report) = 0;
};

/// Owns a vCPU and runs it, on a thread of its own or on the caller's.
class VcpuThread {
 public:
  VcpuThread(kvm::Vcpu vcpu, Board& board, const GuestMemory& memory, Timeline& timeline,
             VcpuOwner& owner);

  kvm::Vcpu& vcpu() { return vcpu_; }
  /// Runs the vCPU on a new thread called `name`, which `seal` confines to `role` before.
  Result<void> start(const char* name, ThreadSeal seal, ThreadRole role);
  /// Waits until the thread that `start` made is sealed, or could not be, which its owner is told.
  void wait_until_ready() const { ready_.wait(false); }
  /// Says that the calling thread is to `run`. Before it is sealed; `start` does so itself.
  void adopt();
  /// Runs the vCPU on the calling thread until `stop` or its end.
  void run();
  /// Makes the vCPU look for what changed outside: an interrupt of the PIC's, or `stop`. Any
  /// thread.
  void kick();
  /// Ends the run loop soon, or keeps it from beginning. Any thread; `wait` waits for it.
  void stop();
  /// Waits until the run loop, if it has begun, has ended. After `stop`; not on the vCPU's thread.
  void wait() const;
  /// Brings the vCPU to rest soon: outside KVM_RUN, with its last exit completed, so that its state
  /// is whole; nothing but `resume` and `stop` ends that. Any thread.
  void pause();
  /// Waits until the vCPU rests or has come to its end. After `pause`, if `run` is called at all;
  /// not on a vCPU's thread.
  void wait_until_at_rest() const;
  /// Lets the vCPU go on, and tells the guest that it stood still. Any thread.
  void resume();

  /// How often KVM_RUN came back so; a failed call counts as a failure. Any thread.
  u64 exits(kvm::ExitKind kind) const { return exits_[static_cast<std::size_t>(kind)].value(); }

  /// Installs the handler of the signal that `kick` sends. Once per process, before any `start`.
  static Result<void> prepare_kicks();

 private:
  /// What others want of the run loop. A stop is for good.
  enum class Wish : u32 { kRun, kRest, kStop };
  /// Where the run loop is.
  enum class Place : u32 { kBefore, kInside, kAtRest, kBehind };

  void run_on_own_thread();
  void run_loop();
  void move_to(Place place);
  void rest();
  bool offer_external_interrupt();
  bool serve(const kvm::Exit& exit);
  void count(kvm::ExitKind kind) { exits_[static_cast<std::size_t>(kind)].add(); }

  kvm::Vcpu vcpu_;
  Board& board_;
  const GuestMemory& memory_;
  Timeline& timeline_;
  VcpuOwner& owner_;
  std::array<Counter, kvm::kExitKinds> exits_;
  ThreadSeal seal_ = nullptr;
  ThreadRole role_ = ThreadRole::kVcpu;
  pid_t process_ = 0;  // whom `kick` interrupts: the thread by its id...
  pid_t thread_id_ = 0;
  pthread_t handle_ = 0;                      // ...if it is another one
  std::atomic<Place> place_{Place::kBefore};  // which changes when these are set
  std::atomic<Wish> wish_{Wish::kRun};
  std::atomic<bool> ready_{false};
  Thread thread_;  // last: joined before the rest goes
};

}  // namespace mote
