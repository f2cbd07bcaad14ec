// SPDX-License-Identifier: Apache-2.0
// Patience: waiting for what the last user of a file is about to let go of.
#pragma once

#include <poll.h>

#include "core/types.hpp"

namespace mote {

/// Waits a few times, by default a second in all. A machine that was killed lets go of its files
/// some milliseconds after whoever killed it has seen it end, on a busy host some hundreds: a ring
/// gives them back late, and the VM's process ends after its supervisor. Who starts it again at
/// once finds them taken.
class Patience {
 public:
  explicit Patience(u32 times = 200) : left_(times) {}
  /// False when it is exhausted.
  bool wait() {
    if (left_ == 0) return false;
    --left_;
    ::poll(nullptr, 0, 5);  // a call that the API's thread may make
    return true;
  }

 private:
  u32 left_;
};

}  // namespace mote
