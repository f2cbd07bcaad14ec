// SPDX-License-Identifier: Apache-2.0
// [limits] put into force: the control group of a VM.
#pragma once

#include <optional>

#include "core/result.hpp"
#include "jail/cgroup/guard.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// Makes the control group that `config.limits` asks for, with its guard; none when there is no
/// limit. Called by the process that is to supervise the VM, which is not in the group, before it
/// makes namespaces, threads and memory. The VM's process joins the group
/// (`GuardedCgroup::join`) before it makes any of these.
Result<std::optional<jail::GuardedCgroup>> apply_limits(const VmConfig& config);

/// The disk of the host that holds `path`: for a file that of its file system, and for a part of a
/// disk the whole one, as the kernel limits no parts. An Error when there is no such disk.
Result<dev_t> disk_of(const std::string& path);

}  // namespace mote
