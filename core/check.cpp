// SPDX-License-Identifier: Apache-2.0
// The end of a program whose own promise is broken.
#include "core/check.hpp"

#include <cstdio>

namespace mote {

void check_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "mote: bug: %s:%d: %s (%s)\n", file, line, why, condition);
  // WHY not abort: its signal needs calls that a sealed thread may not make, and does nothing to
  // the first process of a PID namespace. This works anywhere.
  __builtin_trap();
}

}  // namespace mote
