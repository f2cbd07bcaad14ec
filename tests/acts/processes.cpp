// SPDX-License-Identifier: Apache-2.0
// Other processes: signals to them, their memory, their settings.
#include <fcntl.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <csignal>

#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

using jail::roles;

constexpr int kNoSignal = 0;  // only asks whether one may be sent

/// Reads or writes eight bytes of the other's memory.
long access_memory(long number, const Target& target) {
  u64 bytes = 0;
  const iovec here{&bytes, sizeof(bytes)};
  const iovec there{reinterpret_cast<void*>(target.address), sizeof(bytes)};
  return call(number, target.process, &here, 1, &there, 1, 0);
}

constexpr Act kActs[] = {
    {"signal", "kill", Wall::kNamespaces,
     [](const Target& target) { return call(SYS_kill, target.process, kNoSignal); }},
    {"signal_all", "kill", Wall::kNamespaces,
     [](const Target&) { return call(SYS_kill, -1, kNoSignal); }},
    {"signal_thread", "tgkill", Wall::kNamespaces,
     [](const Target& target) {
       return call(SYS_tgkill, target.process, target.process, kNoSignal);
     }},
    {"kick_another", "tgkill", Wall::kNamespaces,
     [](const Target& target) {
       return call(SYS_tgkill, target.process, target.process, kVcpuKickSignal);
     },
     roles(ThreadRole::kStart, ThreadRole::kVcpu, ThreadRole::kLoop, ThreadRole::kApi)},
    {"queue_signal", "rt_sigqueueinfo", Wall::kNamespaces,
     [](const Target& target) {
       siginfo_t info{};
       info.si_code = SI_QUEUE;
       return call(SYS_rt_sigqueueinfo, target.process, kVcpuKickSignal, &info);
     }},
    {"signal_by_descriptor", "fcntl", Wall::kNamespaces,
     [](const Target& target) { return call(SYS_fcntl, 2, F_SETOWN, target.process); },
     roles(ThreadRole::kApi)},
    {"open_process", "pidfd_open", Wall::kNamespaces,
     [](const Target& target) { return call(SYS_pidfd_open, target.process, 0); }},
    {"trace", "ptrace", Wall::kNamespaces,
     [](const Target& target) { return call(SYS_ptrace, PTRACE_SEIZE, target.process, 0, 0); }},
    {"read_memory", "process_vm_readv", Wall::kNamespaces,
     [](const Target& target) { return access_memory(SYS_process_vm_readv, target); }},
    {"write_memory", "process_vm_writev", Wall::kNamespaces,
     [](const Target& target) { return access_memory(SYS_process_vm_writev, target); }},
    {"read_limits", "prlimit64", Wall::kNamespaces,
     [](const Target& target) {
       rlimit64 limit{};
       return call(SYS_prlimit64, target.process, RLIMIT_NOFILE, nullptr, &limit);
     }},
    {"change_affinity", "sched_setaffinity", Wall::kNamespaces,
     [](const Target& target) {
       const u64 all = ~u64{0};
       return call(SYS_sched_setaffinity, target.process, sizeof(all), &all);
     }},
    {"change_priority", "setpriority", Wall::kNamespaces,
     [](const Target& target) { return call(SYS_setpriority, PRIO_PROCESS, target.process, 0); }},
};

}  // namespace

std::span<const Act> process_acts() {
  return kActs;
}

}  // namespace mote::acts
