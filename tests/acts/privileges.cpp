// SPDX-License-Identifier: Apache-2.0
// More rights than the thread has.
#include <grp.h>
#include <linux/capability.h>
#include <sys/io.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <sched.h>

#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

long take_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  data[0].permitted = data[0].effective = 1U << CAP_SYS_ADMIN;
  return call(SYS_capset, &header, data);
}

constexpr Act kActs[] = {
    {"become_root", "setuid", Wall::kPrivileges, [](const Target&) { return call(SYS_setuid, 0); }},
    {"become_roots_group", "setgid", Wall::kPrivileges,
     [](const Target&) { return call(SYS_setgid, 0); }},
    {"join_groups", "setgroups", Wall::kPrivileges,
     [](const Target&) {
       const gid_t root = 0;
       return call(SYS_setgroups, 1, &root);
     }},
    {"take_capabilities", "capset", Wall::kPrivileges,
     [](const Target&) { return take_capabilities(); }},
    {"unlock_securebits", "prctl", Wall::kPrivileges,
     [](const Target&) { return call(SYS_prctl, PR_SET_SECUREBITS, 0, 0, 0, 0); }},
    {"be_dumpable", "prctl", Wall::kFilterAlone,
     [](const Target&) { return call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); }},
    {"outlive_supervisor", "prctl", Wall::kFilterAlone,
     [](const Target&) { return call(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0); }},
    {"personality", "personality", Wall::kFilterAlone,
     [](const Target&) { return call(SYS_personality, READ_IMPLIES_EXEC); }},
    {"raise_limits", "prlimit64", Wall::kPrivileges,
     [](const Target&) {
       const rlimit64 core_file{RLIM64_INFINITY, RLIM64_INFINITY};
       return call(SYS_prlimit64, 0, RLIMIT_CORE, &core_file, nullptr);
     }},
    {"real_time", "sched_setscheduler", Wall::kPrivileges,
     [](const Target&) {
       const sched_param priority{.sched_priority = 1};
       return call(SYS_sched_setscheduler, 0, SCHED_FIFO, &priority);
     }},
    {"ports", "iopl", Wall::kPrivileges, [](const Target&) { return call(SYS_iopl, 3); }, 0, 0,
     true},
};

}  // namespace

std::span<const Act> privilege_acts() {
  return kActs;
}

}  // namespace mote::acts
