// SPDX-License-Identifier: Apache-2.0
#include "jail/landlock.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "core/types.hpp"

namespace mote::jail {
namespace {

/// The kernel's landlock_ruleset_attr as of version 6, which is newer than the headers at hand.
struct RulesetAttributes {
  u64 handled_access_fs;
  u64 handled_access_net;
  u64 scoped;
};

constexpr u64 lowest_bits(u32 count) {
  return (u64{1} << count) - 1;
}

/// What each version of the interface can deny; a number of lowest bits for each field, and how
/// much of the structure it knows.
struct Version {
  u32 fs;
  u32 net;
  u32 scoped;
  std::size_t size;
};
constexpr Version kVersions[] = {
    {13, 0, 0, 8},   // 1: files
    {14, 0, 0, 8},   // 2: refer
    {15, 0, 0, 8},   // 3: truncate
    {15, 2, 0, 16},  // 4: bind and connect of TCP
    {16, 2, 0, 16},  // 5: ioctl of devices
    {16, 2, 2, 24},  // 6: abstract sockets, signals
};

constexpr u32 kAskForVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION

/// The kernel's landlock_path_beneath_attr.
struct [[gnu::packed]] PathBeneath {
  u64 allowed_access;
  i32 parent_fd;
};
constexpr int kPathBeneath = 1;  // LANDLOCK_RULE_PATH_BENEATH
/// write_file, read_file, make_reg, truncate, ioctl_dev.
constexpr u64 kUseOfFiles = 1 << 1 | 1 << 2 | 1 << 8 | 1 << 14 | 1 << 15;

}  // namespace

Result<UniqueFd> make_landlock_ruleset(std::span<const int> folders) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskForVersion);
  if (version <= 0) return UniqueFd();
  const Version& known =
      kVersions[std::min(static_cast<std::size_t>(version), std::size(kVersions)) - 1];
  RulesetAttributes attributes{.handled_access_fs = lowest_bits(known.fs),
                               .handled_access_net = lowest_bits(known.net),
                               .scoped = lowest_bits(known.scoped)};
  UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, known.size, 0)));
  if (!ruleset) return Error::from_errno(errno, "cannot make Landlock rules for the VM");
  for (const int folder : folders) {
    const PathBeneath rule{kUseOfFiles & attributes.handled_access_fs, folder};
    if (::syscall(SYS_landlock_add_rule, ruleset.get(), kPathBeneath, &rule, 0) != 0) {
      return Error::from_errno(errno, "cannot make a Landlock rule for a folder of the VM");
    }
  }
  return ruleset;
}

Result<void> enter_landlock(const UniqueFd& ruleset) {
  if (!ruleset) return {};
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0) return {};
  return Error::from_errno(errno, "cannot put the VM under Landlock rules");
}

}  // namespace mote::jail
