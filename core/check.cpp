// SPDX-License-Identifier: Apache-2.0
// The end of a program whose own promise is broken.
#include "core/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace mote {

void check_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "mote: bug: %s:%d: %s (%s)\n", file, line, why, condition);
  std::abort();
}

}  // namespace mote
