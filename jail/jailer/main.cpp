// SPDX-License-Identifier: Apache-2.0
// The jailer: puts a monitor into a jail of the shape that callers of the Firecracker jailer know.
// See docs/jailer.md.
#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "jail/jailer/arguments.hpp"
#include "jail/jailer/jail_cgroups.hpp"
#include "jail/jailer/jail_folder.hpp"
#include "jail/jailer/jail_root.hpp"
#include "jail/jailer/launch.hpp"
#include "jail/jailer/os_error.hpp"
#include "jail/jailer/private_mount.hpp"

namespace mote::jailer {
namespace {

/// The release of Firecracker whose jailer this one behaves like; callers read it here.
constexpr const char* kLikeVersion = "1.16.1";

void print_version() {
  std::printf("Jailer v%s\nmote-jailer %s\n", kLikeVersion, MOTE_VERSION);
}

void print_help() {
  print_version();
  std::puts("");
  for (const Flag& flag : flags()) {
    const std::string name(flag.name);
    std::printf("--%s%s: %.*s\n", name.c_str(), flag.takes_value ? (" <" + name + ">").c_str() : "",
                static_cast<int>(flag.help.size()), flag.help.data());
  }
  std::puts("\nAny arguments after the -- separator will be supplied to the jailed binary.");
}

Result<void> run(std::span<const char* const> words) {
  const StartTimes start = start_times();
  if (::close_range(3, ~0U, CLOSE_RANGE_UNSHARE) != 0) {
    return os_error("Failed to call close range syscall", errno);
  }
  ::clearenv();
  const Arguments arguments = TRY(parse_arguments(words));
  if (arguments.help) {
    print_help();
    return {};
  }
  if (arguments.version) {
    print_version();
    return {};
  }
  const JailFolder folder = TRY(find_jail_folder(arguments));
  TRY(make_jail_folder(folder, arguments));
  if (!arguments.netns.empty()) TRY(join_network(arguments.netns));
  TRY(limit_resources(arguments));
  TRY(enter_cgroups(arguments, folder.name));

  // What is outside of the jail and needed inside.
  UniqueFd null;
  if (arguments.daemonize) {
    null.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) return os_error("Failed to open /dev/null", errno);
  }
  const std::optional<u32> userfaultfd = misc_minor("userfaultfd");
  // WHY not for root: it keeps its capabilities, which in a mount namespace of the host's are worth
  // more than in one of its own.
  const bool detached =
      arguments.uid != 0 && (arguments.detached_root || is_on_private_mount(folder.root));
  TRY(enter_jail_root(folder.root, detached));
  TRY(fill_jail(arguments.uid, arguments.gid, userfaultfd));
  return launch(arguments, folder.name, start, null);
}

}  // namespace
}  // namespace mote::jailer

int main(int argc, char** argv) {
  const std::span<char*> words(argv, static_cast<std::size_t>(argc));
  const std::size_t first = argc > 0 ? 1 : 0;
  const auto done = mote::jailer::run({words.data() + first, words.size() - first});
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().message().c_str());
  return 1;
}
