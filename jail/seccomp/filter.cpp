// SPDX-License-Identifier: Apache-2.0
#include "jail/seccomp/filter.hpp"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>

namespace mote::jail {
namespace {

#include "jail/filters.inc"

}  // namespace

std::span<const sock_filter> filter_for(ThreadRole role) {
  switch (role) {
    case ThreadRole::kStart:
      return k_start;
    case ThreadRole::kVcpu:
      return k_vcpu;
    case ThreadRole::kVcpuVfio:
      return k_vcpu_vfio;
    case ThreadRole::kUnplug:
      return k_unplug;
    case ThreadRole::kLoop:
      return k_loop;
    case ThreadRole::kApi:
      return k_api;
    case ThreadRole::kSupervisor:
      break;
  }
  return k_supervisor;
}

const char* call_name(int number) {
  return number >= 0 && number < known_calls() ? k_call_names[number] : nullptr;
}

int known_calls() {
  return static_cast<int>(std::size(k_call_names));
}

// WHY no flag: SECCOMP_FILTER_FLAG_SPEC_ALLOW would waive what kernels before 5.16 do against
// speculation in filtered threads, if the host's administrator left that to the default. Newer ones
// do nothing there, so it would gain nothing and only take a decision that is the host's.
Result<void> load_filter(std::span<const sock_filter> program) {
  const sock_fprog argument{.len = static_cast<unsigned short>(program.size()),
                            .filter = const_cast<sock_filter*>(program.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &argument) == 0) return {};
  return Error::from_errno(errno, "cannot load a seccomp filter",
                           "the host's kernel needs CONFIG_SECCOMP_FILTER, and its container must "
                           "allow seccomp(2); --no-sandbox does without");
}

}  // namespace mote::jail
