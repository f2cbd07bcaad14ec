// SPDX-License-Identifier: Apache-2.0
// The MP table: processors and interrupt wiring for guests without ACPI.
#pragma once

#include <cstddef>
#include <vector>

#include "core/types.hpp"

namespace mote::arch {

/// Floating pointer structure and configuration table as one block for GPA `base` [MP-1.4 4]. Pure.
std::vector<std::byte> build_mptable(Gpa base, u32 vcpu_count);

}  // namespace mote::arch
