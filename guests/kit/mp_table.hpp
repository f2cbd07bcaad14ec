// SPDX-License-Identifier: Apache-2.0
// Reading the MP table, which kernels use when there is no ACPI. Any vCPU.
#pragma once

#include "guests/kit/types.hpp"

namespace kit {
struct CpuList;
}

namespace kit::mp_table {

/// Address of the MP configuration table with a valid signature and checksums; 0 when there is none
/// [MP 1.4 4].
u64 find();

/// Adds the enabled vCPUs of the MP table; false when there is none.
bool list_cpus(CpuList& cpus);

}  // namespace kit::mp_table
