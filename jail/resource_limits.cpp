// SPDX-License-Identifier: Apache-2.0
#include "jail/resource_limits.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "core/text.hpp"

namespace mote::jail {
namespace {

struct Limit {
  __rlimit_resource resource;
  const char* name;
  rlim_t value;
};

constexpr Limit kLimits[] = {
    {RLIMIT_CORE, "core", 0},
    {RLIMIT_MSGQUEUE, "msgqueue", 0},
    // 32 vCPUs; 17 devices with 16 queues, each an eventfd; disks, taps and timers.
    {RLIMIT_NOFILE, "nofile", 512},
    // Threads of ours are few; a ring starts up to as many as it has entries for what blocks.
    {RLIMIT_NPROC, "nproc", 4096},
};

}  // namespace

Result<void> lower_resource_limits() {
  for (const Limit& limit : kLimits) {
    rlimit now{};
    ::getrlimit(limit.resource, &now);
    const rlim_t value = std::min(limit.value, now.rlim_max);
    const rlimit lowered{value, value};
    if (::setrlimit(limit.resource, &lowered) != 0) {
      return Error::from_errno(errno, format("cannot lower the VM's limit '%s'", limit.name));
    }
  }
  return {};
}

}  // namespace mote::jail
