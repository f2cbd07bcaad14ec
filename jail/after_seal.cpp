// SPDX-License-Identifier: Apache-2.0
#include "jail/after_seal.hpp"

namespace mote::jail {

void after_seal(ThreadRole) {}

}  // namespace mote::jail
