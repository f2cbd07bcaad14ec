// SPDX-License-Identifier: Apache-2.0
// A monitor whose threads try what they may not, once they are sealed: the one that MOTE_ACT names
// does the act named there, "vcpu1:connect_tcp", or "vcpu1:all" those that more than the filter is
// to stop.
#include "jail/after_seal.hpp"

#include <linux/filter.h>

#include <cstdlib>
#include <span>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/thread.hpp"
#include "jail/seccomp/rule.hpp"
#include "tests/acts/act.hpp"

// The linker puts this before jail::load_filter. With MOTE_ACT_UNFILTERED no thread comes under a
// filter, and what is left is the rest of the sandbox.
#define LOAD_FILTER "_ZN4mote4jail11load_filterESt4spanIK11sock_filterLm18446744073709551615EE"
mote::Result<void> load_real_filter(std::span<const sock_filter> program) asm(
    "__real_" LOAD_FILTER);
mote::Result<void> load_filter_if_wanted(std::span<const sock_filter> program) asm(
    "__wrap_" LOAD_FILTER);

mote::Result<void> load_filter_if_wanted(std::span<const sock_filter> program) {
  if (std::getenv("MOTE_ACT_UNFILTERED") != nullptr) return {};
  return load_real_filter(program);
}

// The same for a kernel without Landlock.
#define MAKE_RULESET "_ZN4mote4jail21make_landlock_rulesetESt4spanIKiLm18446744073709551615EE"
mote::Result<mote::UniqueFd> make_real_ruleset(std::span<const int> folders) asm(
    "__real_" MAKE_RULESET);
mote::Result<mote::UniqueFd> make_ruleset_if_wanted(std::span<const int> folders) asm(
    "__wrap_" MAKE_RULESET);

mote::Result<mote::UniqueFd> make_ruleset_if_wanted(std::span<const int> folders) {
  if (std::getenv("MOTE_ACT_WITHOUT_LANDLOCK") != nullptr) return mote::UniqueFd();
  return make_real_ruleset(folders);
}

namespace mote::jail {
namespace {

/// A thread may have several roles, one after the other.
std::string_view place(ThreadRole role) {
  const bool is_named_by_role =
      role == ThreadRole::kStart || role == ThreadRole::kSupervisor || role == ThreadRole::kApi;
  return is_named_by_role ? role_name(role) : thread_name();
}

/// All that more than the filter is to stop.
void perform_all() {
  const acts::Target target = acts::read_target();
  for (const acts::Act* act : acts::all_acts()) {
    if (act->wall != acts::Wall::kFilterAlone) acts::perform(*act, target);
  }
}

}  // namespace

void after_seal(ThreadRole role) {
  const char* const wish = std::getenv("MOTE_ACT");
  const std::string_view words = wish != nullptr ? wish : "";
  const std::size_t colon = words.find(':');
  if (colon == std::string_view::npos || words.substr(0, colon) != place(role)) return;
  const std::string_view name = words.substr(colon + 1);
  if (name == "all") {
    perform_all();
  } else if (const acts::Act* act = acts::find_act(name)) {
    acts::perform(*act, acts::read_target());
  }
}

}  // namespace mote::jail
