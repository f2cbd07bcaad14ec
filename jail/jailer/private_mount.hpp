// SPDX-License-Identifier: Apache-2.0
// Whether mounts that the host makes later could come into a copy of a mount [mount_namespaces(7)].
#pragma once

#include <string>

namespace mote::jailer {

/// True when the mount that holds `path` is neither shared with others nor receives from them.
/// False when that cannot be found out.
bool is_on_private_mount(const std::string& path);

}  // namespace mote::jailer
