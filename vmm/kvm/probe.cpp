// SPDX-License-Identifier: Apache-2.0
#include "vmm/kvm/probe.hpp"

#include <sys/time.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <ctime>
#include <iterator>

#include "core/clock.hpp"
#include "core/mapping.hpp"
#include "core/text.hpp"
#include "vmm/kvm/ioctl.hpp"

namespace mote::kvm {
namespace {

struct Asked {
  const char* name;
  const char* purpose;
  int number;
  bool required;
  bool counts = false;
};
#define MOTE_CAPABILITY(name, purpose, ...) {#name, purpose, KVM_CAP_##name, __VA_ARGS__}

constexpr Asked kAsked[] = {
    MOTE_CAPABILITY(USER_MEMORY, "guest RAM", true),
    MOTE_CAPABILITY(EXT_CPUID, "the guest's CPUID", true),
    MOTE_CAPABILITY(SPLIT_IRQCHIP, "local APICs in the kernel, I/O APIC in Mote", true),
    MOTE_CAPABILITY(IRQ_ROUTING, "I/O APIC pins as messages", true),
    MOTE_CAPABILITY(SIGNAL_MSI, "interrupts of the I/O APIC", true),
    MOTE_CAPABILITY(IRQFD, "interrupts of devices", true),
    MOTE_CAPABILITY(IOEVENTFD, "doorbells of devices", true),
    MOTE_CAPABILITY(IMMEDIATE_EXIT, "stopping a vCPU", true),
    MOTE_CAPABILITY(MAX_VCPUS, "vCPUs of one VM", true, true),
    MOTE_CAPABILITY(NR_MEMSLOTS, "memory slots", true, true),
    MOTE_CAPABILITY(TSC_DEADLINE_TIMER, "the guest's timer without port I/O", false),
    MOTE_CAPABILITY(GET_TSC_KHZ, "telling the guest its TSC frequency", false),
    MOTE_CAPABILITY(ADJUST_CLOCK, "kvm-clock that survives a pause", false),
    MOTE_CAPABILITY(READONLY_MEM, "read-only guest memory", false),
    MOTE_CAPABILITY(XSAVE2, "vector state of large processors", false),
    MOTE_CAPABILITY(DIRTY_LOG_RING, "finding changed memory by a ring", false),
    MOTE_CAPABILITY(X86_MSR_FILTER, "keeping MSRs from the guest", false),
};

// The guest's memory: tables that map the first 2 MiB one to one, and the code [SDM 3A 4.5].
constexpr u64 kPml4 = 0x1000;
constexpr u64 kPdpt = 0x2000;
constexpr u64 kPd = 0x3000;
constexpr u64 kCode = 0x4000;
constexpr std::size_t kMemorySize = 0x5000;
constexpr u64 kPresentWritable = 0x3;
constexpr u64 kLargePage = 0x80;

constexpr u8 kPort = 0x10;
constexpr u32 kLoopTurns = 10'000;
constexpr u32 kInstructions = 2 * kLoopTurns;
// clang-format off
constexpr u8 kGuestCode[] = {
    0xE6, kPort,                                     // out  kPort, al    the clock starts
    0xB9, kLoopTurns & 0xFF, kLoopTurns >> 8, 0, 0,  // mov  ecx, kLoopTurns
    0xFF, 0xC9,                                      // dec  ecx
    0x75, 0xFC,                                      // jnz  to the dec
    0xE6, kPort,                                     // out  kPort, al    the clock stops
    0xF3, 0x0F, 0xB8, 0xC1,                          // popcnt eax, ecx
    0xE6, kPort,                                     // out  kPort, al    popcnt is done
};
// clang-format on

/// Native code is below 1 ns, the fastest emulator above 300 ns.
constexpr double kSlowestNativeNs = 60;
constexpr int kRounds = 3;
constexpr timeval kGiveUpAfter = {.tv_sec = 0, .tv_usec = 500'000};

/// Interrupts KVM_RUN with a signal once the time is over.
class Deadline {
 public:
  Deadline() {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, &old_action_);
    // Again and again, in case that the first one comes between two calls of KVM_RUN.
    const itimerval timer = {.it_interval = {.tv_sec = 0, .tv_usec = 10'000},
                             .it_value = kGiveUpAfter};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
  }
  ~Deadline() {
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &old_action_, nullptr);
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  struct sigaction old_action_{};
};

/// A VM of one vCPU and five pages.
struct ProbeVm {
  Mapping memory;
  UniqueFd vm;
  UniqueFd vcpu;
  Mapping run;
};

void put(const Mapping& memory, u64 address, u64 value) {
  std::memcpy(memory.data() + address, &value, sizeof(value));
}

Result<ProbeVm> create_vm(const UniqueFd& system) {
  ProbeVm probe;
  probe.memory = TRY(Mapping::create(kMemorySize, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, "memory"));
  put(probe.memory, kPml4, kPdpt | kPresentWritable);
  put(probe.memory, kPdpt, kPd | kPresentWritable);
  put(probe.memory, kPd, kLargePage | kPresentWritable);
  std::memcpy(probe.memory.data() + kCode, kGuestCode, sizeof(kGuestCode));

  probe.vm = UniqueFd(TRY(kvm_ioctl(system, KVM_REQUEST(KVM_CREATE_VM), 0)));
  kvm_userspace_memory_region region{};
  region.memory_size = kMemorySize;
  region.userspace_addr = reinterpret_cast<u64>(probe.memory.data());
  TRY(kvm_ioctl(probe.vm, KVM_REQUEST(KVM_SET_USER_MEMORY_REGION), &region));
  probe.vcpu = UniqueFd(TRY(kvm_ioctl(probe.vm, KVM_REQUEST(KVM_CREATE_VCPU), 0)));
  const int size = TRY(kvm_ioctl(system, KVM_REQUEST(KVM_GET_VCPU_MMAP_SIZE), 0));
  probe.run = TRY(Mapping::create(static_cast<std::size_t>(size), PROT_READ | PROT_WRITE,
                                  MAP_SHARED, probe.vcpu.get(), 0, "kvm_run"));
  return probe;
}

/// Long mode with flat segments, as a kernel runs.
Result<void> enter_long_mode(const UniqueFd& vcpu) {
  constexpr u64 kProtection = 1;
  constexpr u64 kExtensionType = 1 << 4;
  constexpr u64 kPaging = u64{1} << 31;
  constexpr u64 kPhysicalAddressExtension = 1 << 5;
  constexpr u64 kLongModeEnableAndActive = (1 << 8) | (1 << 10);
  kvm_sregs sregs{};
  TRY(kvm_ioctl(vcpu, KVM_REQUEST(KVM_GET_SREGS), &sregs));
  sregs.cr0 = kProtection | kExtensionType | kPaging;
  sregs.cr3 = kPml4;
  sregs.cr4 = kPhysicalAddressExtension;
  sregs.efer = kLongModeEnableAndActive;
  kvm_segment data{};
  data.limit = 0xFFFF'FFFF;
  data.selector = 0x10;
  data.type = 3;  // read and write, accessed
  data.present = data.s = data.g = data.db = 1;
  kvm_segment code = data;
  code.selector = 0x8;
  code.type = 11;  // execute and read, accessed
  code.l = 1;
  code.db = 0;
  sregs.cs = code;
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
  TRY(kvm_ioctl(vcpu, KVM_REQUEST(KVM_SET_SREGS), &sregs));
  return {};
}

Result<void> rewind(const UniqueFd& vcpu) {
  kvm_regs regs{};
  regs.rip = kCode;
  regs.rflags = 2;  // the bit that is always set
  TRY(kvm_ioctl(vcpu, KVM_REQUEST(KVM_SET_REGS), &regs));
  return {};
}

/// Runs to the next exit and returns its reason.
Result<u32> run_to_exit(const ProbeVm& probe) {
  // Not by kvm_ioctl: that one would try again after the signal of the deadline.
  if (::ioctl(probe.vcpu.get(), KVM_RUN, 0) < 0) return Error::from_errno(errno, "KVM_RUN failed");
  return reinterpret_cast<const volatile kvm_run*>(probe.run.data())->exit_reason;
}

Error unexpected(const char* moment, u32 reason) {
  return Error::host(
      format("the probe's guest stopped with KVM exit reason %u %s", reason, moment));
}

/// One round; the result takes the best of its rounds.
Result<void> measure(const ProbeVm& probe, Ring0State& state) {
  TRY(rewind(probe.vcpu));
  u32 reason = TRY(run_to_exit(probe));
  if (reason != KVM_EXIT_IO) return unexpected("at its first instruction", reason);
  const u64 start = clock_ns(CLOCK_MONOTONIC);
  reason = TRY(run_to_exit(probe));
  const double ns = static_cast<double>(clock_ns(CLOCK_MONOTONIC) - start) / kInstructions;
  if (reason != KVM_EXIT_IO) return unexpected("in a loop", reason);
  state.ns_per_instruction =
      state.ns_per_instruction == 0 ? ns : std::min(ns, state.ns_per_instruction);
  reason = TRY(run_to_exit(probe));
  if (reason != KVM_EXIT_IO && reason != KVM_EXIT_INTERNAL_ERROR) {
    return unexpected("at POPCNT", reason);
  }
  state.has_all_instructions = reason == KVM_EXIT_IO;
  return {};
}

Result<Ring0State> run_probe(const UniqueFd& system) {
  const ProbeVm probe = TRY(create_vm(system));
  TRY(enter_long_mode(probe.vcpu));
  const Deadline deadline;
  Ring0State state;
  for (int i = 0; i < kRounds; ++i) TRY(measure(probe, state));
  const bool native = state.has_all_instructions && state.ns_per_instruction <= kSlowestNativeNs;
  state.kind = native ? Ring0::kNative : Ring0::kEmulated;
  return state;
}

}  // namespace

std::vector<Capability> probe_capabilities(const UniqueFd& system) {
  std::vector<Capability> capabilities;
  for (const Asked& asked : kAsked) {
    const int value = ::ioctl(system.get(), KVM_CHECK_EXTENSION, asked.number);
    capabilities.push_back(
        {asked.name, asked.purpose, asked.required, asked.counts, std::max(value, 0)});
  }
  return capabilities;
}

int probe_api_version(const UniqueFd& system) {
  return ::ioctl(system.get(), KVM_GET_API_VERSION, 0);
}

Ring0State probe_ring0(const UniqueFd& system) {
  auto state = run_probe(system);
  if (state) return *state;
  Ring0State unknown;
  unknown.problem = state.error().message();
  return unknown;
}

}  // namespace mote::kvm
