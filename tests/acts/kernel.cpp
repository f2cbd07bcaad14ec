// SPDX-License-Identifier: Apache-2.0
// Wide interfaces of the kernel, which have been the way out of many a sandbox, and its settings.
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include <cstring>

#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

/// A program that does nothing, of a kind that only root may load.
long load_bpf() {
  const bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0},
                              {.code = BPF_JMP | BPF_EXIT}};
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  attributes.prog_type = BPF_PROG_TYPE_XDP;
  attributes.insns = reinterpret_cast<u64>(program);
  attributes.insn_cnt = 2;
  attributes.license = reinterpret_cast<u64>("GPL");
  return call(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));
}

long count_events(pid_t process) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  attributes.exclude_kernel = 1;
  return call(SYS_perf_event_open, &attributes, process, -1, -1, 0);
}

constexpr Act kActs[] = {
    {"load_bpf", "bpf", Wall::kPrivileges, [](const Target&) { return load_bpf(); }},
    {"count_events", "perf_event_open", Wall::kNamespaces,
     [](const Target& target) { return count_events(target.process); }},
    {"new_ring", "io_uring_setup", Wall::kFilterAlone,
     [](const Target&) {
       io_uring_params parameters{};
       return call(SYS_io_uring_setup, 4, &parameters);
     }},
    {"add_key", "add_key", Wall::kFilterAlone,
     [](const Target&) {
       return call(SYS_add_key, "user", "mote-acts", "x", 1, KEY_SPEC_PROCESS_KEYRING);
     }},
    {"find_keyring", "keyctl", Wall::kFilterAlone,
     [](const Target&) {
       return call(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1);
     }},
    {"handle_faults", "userfaultfd", Wall::kFilterAlone,
     [](const Target&) { return call(SYS_userfaultfd, O_CLOEXEC); }},
    {"change_host_name", "sethostname", Wall::kPrivileges,
     [](const Target&) { return call(SYS_sethostname, "mote-acts", 9); }},
    {"load_module", "init_module", Wall::kPrivileges,
     [](const Target&) { return call(SYS_init_module, nullptr, 0, ""); }, 0, 0, true},
    {"reboot", "reboot", Wall::kPrivileges,
     [](const Target&) { return call(SYS_reboot, 0, 0, 0, nullptr); }, 0, 0, true},
};

}  // namespace

std::span<const Act> kernel_acts() {
  return kActs;
}

}  // namespace mote::acts
