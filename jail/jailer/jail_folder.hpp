// SPDX-License-Identifier: Apache-2.0
// The folder of a jail, seen from the host: BASE/PROGRAM/ID/root with a copy of the program.
#pragma once

#include <string>

#include "core/result.hpp"
#include "jail/jailer/arguments.hpp"

namespace mote::jailer {

struct JailFolder {
  std::string program;  ///< absolute, without symbolic links
  std::string name;     ///< the last part of it
  std::string root;     ///< the folder that becomes the root directory
};

/// Finds the program and the base, which have to exist.
Result<JailFolder> find_jail_folder(const Arguments& arguments);

/// Makes the folder as far as it is not there and copies the program into it, owned by its user.
/// A target that is a link of either kind is refused: somebody else's file would be overwritten.
Result<void> make_jail_folder(const JailFolder& folder, const Arguments& arguments);

}  // namespace mote::jailer
