// SPDX-License-Identifier: Apache-2.0
#include "jail/seal.hpp"

#include <sys/prctl.h>

#include <cerrno>

#include "jail/after_seal.hpp"
#include "jail/seccomp/filter.hpp"

namespace mote::jail {

Result<void> seal_thread(ThreadRole role) {
  if (!kCanSeal) return {};
  const bool is_first = role == ThreadRole::kStart || role == ThreadRole::kSupervisor;
  // Inherited by threads. What allows a process without privileges to load filters.
  if (is_first && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return Error::from_errno(errno, "cannot give up new privileges (no_new_privs)");
  }
  TRY(load_filter(filter_for(role)));
  after_seal(role);
  return {};
}

}  // namespace mote::jail
