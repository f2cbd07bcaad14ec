// SPDX-License-Identifier: Apache-2.0
// A vCPU's thread: KVM_RUN, serve the exit, again.
#pragma once

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

/// Owns a vCPU and, once started, its thread.
class VcpuThread {
 public:
  VcpuThread(kvm::Vcpu vcpu, Board& board, const GuestMemory& memory, Timeline& timeline,
             VcpuOwner& owner);

  kvm::Vcpu& vcpu() { return vcpu_; }
  Result<void> start();
  /// Makes the vCPU look for what changed outside: an interrupt of the PIC's, or `stop`. Any
  /// thread.
  void kick();
  /// Ends the run loop soon; `join` waits for it. Any thread but the vCPU's own may join.
  void stop();
  void join() { thread_.join(); }

  /// Installs the handler of the signal that `kick` sends. Once per process, before any `start`.
  static Result<void> prepare_kicks();

 private:
  void run();
  bool offer_external_interrupt();
  bool serve(const kvm::Exit& exit);

  kvm::Vcpu vcpu_;
  Board& board_;
  const GuestMemory& memory_;
  Timeline& timeline_;
  VcpuOwner& owner_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> running_{false};  // the thread is past its start and before its end
  Thread thread_;                     // last: joined before the rest goes
};

}  // namespace mote
