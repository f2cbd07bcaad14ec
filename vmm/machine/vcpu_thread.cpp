// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/vcpu_thread.hpp"

#include <unistd.h>

#include <csignal>
#include <utility>

namespace mote {
namespace {

/// A port exit may stand for many accesses (INS, OUTS with a repeat count).
template <class Access>
void for_each_access(const kvm::Exit& exit, Access access) {
  for (u32 i = 0; i < exit.count; ++i) {
    access(exit.data.subspan(std::size_t{i} * exit.width, exit.width));
  }
}

}  // namespace

Result<void> VcpuThread::prepare_kicks() {
  struct sigaction action{};
  action.sa_handler = [](int) {};  // its arrival is what ends KVM_RUN
  if (::sigaction(kVcpuKickSignal, &action, nullptr) != 0) {
    return Error::from_errno(errno, "cannot install the handler of the vCPUs' signal");
  }
  return {};
}

VcpuThread::VcpuThread(kvm::Vcpu vcpu, Board& board, const GuestMemory& memory, Timeline& timeline,
                       VcpuOwner& owner)
    : vcpu_(std::move(vcpu)), board_(board), memory_(memory), timeline_(timeline), owner_(owner) {}

Result<void> VcpuThread::start(const char* name, ThreadSeal seal, ThreadRole role) {
  seal_ = seal;
  role_ = role;
  thread_ = TRY(Thread::start(
      name, [](void* self) { static_cast<VcpuThread*>(self)->run_on_own_thread(); }, this));
  return {};
}

void VcpuThread::run_on_own_thread() {
  adopt();
  const Result<void> sealed = seal_ != nullptr ? seal_(role_) : Result<void>();
  if (!sealed) {
    owner_.on_seal_failure(sealed.error().message());
    move_to(Place::kBehind);
  }
  ready_.store(true);
  ready_.notify_all();
  if (!sealed) return;
  run();
  if (seal_ != nullptr) rest_for_good();
}

void VcpuThread::kick() {
  vcpu_.request_exit();
  if (place_.load() == Place::kInside && !::pthread_equal(handle_, ::pthread_self())) {
    // WHY not pthread_kill: it makes four calls of this one, all of which a filter had to allow.
    ::tgkill(process_, thread_id_, kVcpuKickSignal);
  }
}

void VcpuThread::stop() {
  wish_.store(Wish::kStop);
  wish_.notify_all();
  kick();
}

void VcpuThread::wait() const {
  // A loop that has not begun by now finds the wish and ends before the guest runs.
  for (Place at = place_.load(); at == Place::kInside || at == Place::kAtRest; at = place_.load()) {
    place_.wait(at);
  }
}

void VcpuThread::pause() {
  Wish expected = Wish::kRun;
  if (wish_.compare_exchange_strong(expected, Wish::kRest)) kick();
}

void VcpuThread::wait_until_at_rest() const {
  for (Place at = place_.load(); at == Place::kBefore || at == Place::kInside; at = place_.load()) {
    place_.wait(at);
  }
}

void VcpuThread::resume() {
  Wish expected = Wish::kRest;
  if (!wish_.compare_exchange_strong(expected, Wish::kRun)) return;
  wish_.notify_all();
  // Whoever pauses it next is not to take this rest for the next one.
  place_.wait(Place::kAtRest);
}

void VcpuThread::move_to(Place place) {
  place_.store(place);
  place_.notify_all();
}

/// A thread at rest is not kicked: what is to be looked for then is found behind it.
void VcpuThread::rest() {
  move_to(Place::kAtRest);
  wish_.wait(Wish::kRest);
  move_to(Place::kInside);
  vcpu_.tell_of_pause();
}

void VcpuThread::adopt() {
  process_ = ::getpid();
  thread_id_ = ::gettid();
  handle_ = ::pthread_self();
}

void VcpuThread::run() {
  move_to(Place::kInside);
  run_loop();
  move_to(Place::kBehind);
}

void VcpuThread::run_loop() {
  const bool is_first = vcpu_.id() == 0;
  bool seen_exit = !is_first;
  if (is_first) timeline_.mark("vCPU 0 runs");
  for (;;) {
    vcpu_.clear_exit_request();
    const Wish wish = wish_.load();
    if (wish == Wish::kStop) return;
    if (wish == Wish::kRest) {
      // KVM completes the last exit when it is called again, and may come back with the next one.
      vcpu_.request_exit();
    } else if (is_first && !offer_external_interrupt()) {
      return;
    }
    const auto exit = vcpu_.run();
    count(exit ? exit->kind : kvm::ExitKind::kFailure);
    if (!seen_exit && (!exit || exit->kind != kvm::ExitKind::kInterrupted)) {
      seen_exit = true;
      timeline_.mark("first guest exit");
    }
    if (!exit) return owner_.on_vcpu_failure(exit.error().message());
    if (!serve(*exit)) return;
    if (wish == Wish::kRest && exit->kind == kvm::ExitKind::kInterrupted) rest();
  }
}

/// Hands the PIC pair's interrupt to the guest, or asks KVM for the moment when that is possible.
/// False when KVM failed.
bool VcpuThread::offer_external_interrupt() {
  PicPair* pic = board_.interrupts().pic();
  if (pic == nullptr) return true;
  if (pic->has_interrupt() && vcpu_.can_inject()) {
    if (const auto vector = pic->acknowledge()) {
      if (const auto injected = vcpu_.inject(*vector); !injected) {
        owner_.on_vcpu_failure(injected.error().message());
        return false;
      }
    }
  }
  vcpu_.want_interrupt_window(pic->has_interrupt());
  return true;
}

/// False when this vCPU has come to its end.
bool VcpuThread::serve(const kvm::Exit& exit) {
  switch (exit.kind) {
    case kvm::ExitKind::kPortRead:
      for_each_access(exit, [&](auto data) { board_.ports().read(exit.address, data); });
      return true;
    case kvm::ExitKind::kPortWrite:
      for_each_access(exit, [&](auto data) { board_.ports().write(exit.address, data); });
      return true;
    case kvm::ExitKind::kMmioRead:
      board_.mmio().read(exit.address, exit.data);
      return true;
    case kvm::ExitKind::kMmioWrite:
      board_.mmio().write(exit.address, exit.data);
      return true;
    case kvm::ExitKind::kIoApicEoi:
      board_.interrupts().ioapic().end_of_interrupt(exit.vector);
      return true;
    case kvm::ExitKind::kInterrupted:
    case kvm::ExitKind::kInterruptWindow:
      return true;
    case kvm::ExitKind::kShutdown:
      owner_.on_triple_fault(vcpu_.id());
      return false;
    case kvm::ExitKind::kFailure:
      owner_.on_vcpu_failure(vcpu_.describe_failure(memory_));
      return false;
  }
  return true;
}

}  // namespace mote
