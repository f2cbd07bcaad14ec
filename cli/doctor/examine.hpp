// SPDX-License-Identifier: Apache-2.0
// The examinations of `mote doctor`. They look at the host, change nothing on it, and end soon
// whatever is missing. One thread.
#pragma once

#include "cli/doctor/diagnosis.hpp"

namespace mote {

/// All examinations in the order of the report.
Diagnosis examine_host();

/// /dev/kvm, the capabilities in use, and how guest ring 0 runs.
void examine_kvm(Diagnosis& diagnosis);
/// io_uring: the system calls, the operations and the set-up flags in use.
void examine_io_uring(Diagnosis& diagnosis);
/// What the rest of the host offers a VM: memory, network, devices, confinement.
void examine_kernel(Diagnosis& diagnosis);
/// Of that, what network interfaces need: taps, and what they are capable of.
void examine_taps(Diagnosis& diagnosis);

/// Whether a VM's process can lock itself in: tries it.
void examine_sandbox(Diagnosis& diagnosis);

}  // namespace mote
