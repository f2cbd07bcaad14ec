// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/examine.hpp"

namespace mote {

Diagnosis examine_host() {
  Diagnosis diagnosis;
  examine_kvm(diagnosis);
  examine_io_uring(diagnosis);
  examine_kernel(diagnosis);
  examine_sandbox(diagnosis);
  return diagnosis;
}

}  // namespace mote
