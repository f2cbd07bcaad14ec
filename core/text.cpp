// SPDX-License-Identifier: Apache-2.0
#include "core/text.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace mote {

std::string format(const char* pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  char* text = nullptr;
  const int length = vasprintf(&text, pattern, arguments);
  va_end(arguments);
  if (length < 0) return pattern;
  std::string result(text, static_cast<std::size_t>(length));
  std::free(text);
  return result;
}

}  // namespace mote
