// SPDX-License-Identifier: Apache-2.0
// Words of an Error. Cold path.
#include "core/result.hpp"

#include <cstring>

namespace mote {

Error Error::from_errno(int errno_value, std::string_view what, std::string_view remedy) {
  std::string message(what);
  const char* text = strerrordesc_np(errno_value);
  const char* name = strerrorname_np(errno_value);
  message += ": ";
  message += text != nullptr ? text : "unknown error";
  message += " (";
  message += name != nullptr ? std::string(name) : std::to_string(errno_value);
  message += ")";
  if (!remedy.empty()) {
    message += " -- ";
    message += remedy;
  }
  Error error(Fault::kHost, std::move(message));
  error.errno_value_ = errno_value;
  return error;
}

Error Error::within(std::string_view what) && {
  std::string message(what);
  message += ": ";
  message += message_;
  message_ = std::move(message);
  return std::move(*this);
}

}  // namespace mote
