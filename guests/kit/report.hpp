// SPDX-License-Identifier: Apache-2.0
// Lines that a test reads: PASS name, FAIL name: reason, SKIP name: reason, DONE. First vCPU.
#pragma once

#include <string_view>

#include "guests/kit/print.hpp"

namespace kit {

/// Reports one behaviour; the parts of `reason` are printed only when it does not hold.
template <class... Parts>
bool expect(std::string_view name, bool holds, const Parts&... reason) {
  if (holds) {
    print("PASS ", name, '\n');
  } else {
    print("FAIL ", name, ": ", reason..., '\n');
  }
  return holds;
}

template <class Left, class Right>
bool expect_equal(std::string_view name, const Left& actual, const Right& wanted) {
  return expect(name, actual == wanted, hex(actual), " instead of ", hex(wanted));
}

template <class... Parts>
void skip(std::string_view name, const Parts&... reason) {
  print("SKIP ", name, ": ", reason..., '\n');
}

/// The last line: all checks were made.
inline void done() {
  print("DONE\n");
}

}  // namespace kit
