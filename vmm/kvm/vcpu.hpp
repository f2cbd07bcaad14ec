// SPDX-License-Identifier: Apache-2.0
// A vCPU as KVM knows it: its registers at the start, and the exits of its run loop.
#pragma once

#include <span>
#include <string>

#include "core/fd.hpp"
#include "core/guest_memory.hpp"
#include "core/mapping.hpp"
#include "core/result.hpp"
#include "core/types.hpp"
#include "vmm/arch/cpu_state.hpp"
#include "vmm/arch/cpuid.hpp"

struct kvm_run;

namespace mote::kvm {

enum class ExitKind {
  kInterrupted,      ///< a signal or `request_exit`; nothing of the guest to serve
  kPortRead,         ///< fill `data`, `count` accesses of `width` bytes at port `address`
  kPortWrite,        ///< take `data`, likewise
  kMmioRead,         ///< fill `data` from `address`
  kMmioWrite,        ///< take `data` at `address`
  kIoApicEoi,        ///< the guest ended the level-triggered interrupt `vector`
  kInterruptWindow,  ///< `inject` is possible now
  kShutdown,         ///< triple fault
  kFailure,          ///< KVM cannot go on: see `describe_failure`
};
inline constexpr std::size_t kExitKinds = static_cast<std::size_t>(ExitKind::kFailure) + 1;

/// Why KVM_RUN came back. `data` points into memory shared with the kernel (not with the guest) and
/// is valid until the next `run`.
struct Exit {
  ExitKind kind = ExitKind::kInterrupted;
  u64 address = 0;
  u32 width = 0;
  u32 count = 0;
  std::span<std::byte> data;
  u8 vector = 0;
};

/// Owns the vCPU's descriptor and its kvm_run page. Everything but `request_exit` belongs to one
/// thread at a time: the builder's, then the vCPU's own.
class Vcpu {
 public:
  Vcpu(u32 id, UniqueFd fd, Mapping run);

  u32 id() const { return id_; }
  /// TSC frequency as this vCPU sees it; 0 when the host does not know.
  u32 tsc_khz() const;
  Result<void> set_cpuid(std::span<const arch::CpuidEntry> entries);
  /// Registers as firmware leaves them that KVM does not: memory types, fast strings.
  Result<void> set_boot_msrs();
  /// Where the first instruction is and what the registers hold. Takes effect with the next `run`.
  Result<void> set_state(const arch::CpuState& state);

  /// Runs the guest until the next exit. An Error is a failed system call.
  Result<Exit> run();
  /// True when `inject` is possible at once; else `want_interrupt_window` asks for the moment.
  bool can_inject() const;
  void want_interrupt_window(bool wanted);
  /// Queues external interrupt `vector` (8259, ExtINT).
  Result<void> inject(u8 vector);

  /// Tells a guest that asks kvm-clock that it stood still, which its watchdogs then bear with.
  /// Between two calls of `run`.
  void tell_of_pause() const;

  /// Makes the current or next `run` return kInterrupted. Any thread; a thread inside KVM_RUN also
  /// needs a signal. `clear_exit_request` undoes it.
  void request_exit();
  void clear_exit_request();

  /// What stopped KVM, for people: reason, rip, instruction bytes, the likely cause.
  std::string describe_failure(const GuestMemory& memory) const;

 private:
  volatile kvm_run& shared() const;

  u32 id_;
  UniqueFd fd_;
  Mapping run_;
};

}  // namespace mote::kvm
