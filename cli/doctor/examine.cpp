// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/examine.hpp"

namespace mote {

Diagnosis examine_host() {
  Diagnosis diagnosis;
  return diagnosis;
}

}  // namespace mote
