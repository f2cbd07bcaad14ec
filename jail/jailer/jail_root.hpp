// SPDX-License-Identifier: Apache-2.0
// The jail's folder as root directory, and what is in it besides the program.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::jailer {

/// Makes `folder`, with all that is mounted below it, the root directory.
///
/// `detached`: a copy of its mounts that is attached nowhere, which takes no copy of all the
/// host's mounts. What the host mounts below the folder later is not seen in it. Otherwise the
/// process gets a mount namespace that holds nothing else, and sees such mounts.
Result<void> enter_jail_root(const std::string& folder, bool detached);

/// In the jail: /dev, /dev/net and /run, and the devices that a monitor opens, all owned by the
/// user. `userfaultfd`: the minor number of that device, where there is one.
Result<void> fill_jail(uid_t uid, gid_t gid, std::optional<u32> userfaultfd);

/// The minor number of the device `name` by /proc/misc.
std::optional<u32> misc_minor(std::string_view name);

}  // namespace mote::jailer
