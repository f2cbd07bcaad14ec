// SPDX-License-Identifier: Apache-2.0
#include "jail/jailer/os_error.hpp"

#include <cerrno>
#include <cstring>

namespace mote::jailer {

Error os_error(std::string_view what, int errno_value) {
  const char* text = ::strerrordesc_np(errno_value);
  // The one that other C libraries word differently and that callers match on.
  if (errno_value == EMFILE) text = "No file descriptors available";
  return Error::host(std::string(what) + ": " + (text != nullptr ? text : "Unknown error") +
                     " (os error " + std::to_string(errno_value) + ")");
}

}  // namespace mote::jailer
