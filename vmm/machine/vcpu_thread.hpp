// SPDX-License-Identifier: Apache-2.0
// A vCPU's thread: KVM_RUN, serve the exit, again.
#pragma once

#include <pthread.h>

#include <atomic>
#include <optional>

#include "core/result.hpp"
#include "core/thread.hpp"
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
};

/// Owns a vCPU and runs it, on a thread of its own or on the caller's.
class VcpuThread {
 public:
  VcpuThread(kvm::Vcpu vcpu, Board& board, const GuestMemory& memory, Timeline& timeline,
             VcpuOwner& owner);

  kvm::Vcpu& vcpu() { return vcpu_; }
  /// Runs the vCPU on a new thread.
  Result<void> start();
  /// Runs the vCPU on the calling thread until `stop` or its end.
  void run();
  /// Makes the vCPU look for what changed outside: an interrupt of the PIC's, or `stop`. Any
  /// thread.
  void kick();
  /// Ends the run loop soon, or keeps it from beginning. Any thread; `wait` waits for it.
  void stop();
  /// Waits until the run loop, if it has begun, has ended. After `stop`; not on the vCPU's thread.
  void wait();

  /// Installs the handler of the signal that `kick` sends. Once per process, before any `start`.
  static Result<void> prepare_kicks();

 private:
  void run_loop();
  bool offer_external_interrupt();
  bool serve(const kvm::Exit& exit);

  kvm::Vcpu vcpu_;
  Board& board_;
  const GuestMemory& memory_;
  Timeline& timeline_;
  VcpuOwner& owner_;
  pthread_t handle_ = 0;              // whom `kick` interrupts
  std::atomic<bool> running_{false};  // from the setting of `handle_` on
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};
  Thread thread_;  // last: joined before the rest goes
};

}  // namespace mote
