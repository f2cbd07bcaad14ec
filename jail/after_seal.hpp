// SPDX-License-Identifier: Apache-2.0
// A place for tests to stand in: what a thread does first once it is sealed.
#pragma once

#include "core/thread_role.hpp"

namespace mote::jail {

/// Nothing, in `mote`. A program of the tests is linked with another definition, which tries what
/// is forbidden.
void after_seal(ThreadRole role);

}  // namespace mote::jail
