// SPDX-License-Identifier: Apache-2.0
// What a guest that has broken out might try: each sealed thread of the role named in MOTE_ACT
// ("vcpu:socket") does the act named there, once, instead of nothing. What the act's call answers,
// if it is not the end of the process, stands on standard error: "act: socket: -1 EPERM".
#include "jail/after_seal.hpp"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "core/text.hpp"
#include "core/types.hpp"
#include "jail/seccomp/rule.hpp"

namespace mote::jail {
namespace {

struct Act {
  std::string_view name;
  long (*run)();  ///< the call's answer, as syscall(2) gives it
};

constexpr std::size_t kPage = 4096;
alignas(kPage) char g_page[kPage];

constexpr Act kActs[] = {
    {"socket", [] { return ::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0); }},
    {"execve",
     [] {
       const char* words[] = {"/bin/true", nullptr};
       return ::syscall(SYS_execve, words[0], words, nullptr);
     }},
    {"openat", [] { return ::syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }},
    {"mprotect_exec", [] { return ::syscall(SYS_mprotect, g_page, kPage, PROT_READ | PROT_EXEC); }},
    {"mmap_exec",
     [] {
       return ::syscall(SYS_mmap, nullptr, kPage, PROT_READ | PROT_EXEC,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
     }},
    {"io_uring_setup",
     [] {
       io_uring_params parameters{};
       return ::syscall(SYS_io_uring_setup, 4, &parameters);
     }},
};

void say(const std::string& line) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void after_seal(ThreadRole role) {
  const char* const wish = std::getenv("MOTE_ACT");
  const std::string_view words = wish != nullptr ? wish : "";
  const std::size_t colon = words.find(':');
  if (colon == std::string_view::npos || words.substr(0, colon) != role_name(role)) return;
  for (const Act& act : kActs) {
    if (act.name != words.substr(colon + 1)) continue;
    const long answer = act.run();
    const int error = errno;
    say(format("act: %.*s: %ld %s\n", static_cast<int>(act.name.size()), act.name.data(), answer,
               answer < 0 ? ::strerrorname_np(error) : "done"));
    return;
  }
  say("act: there is none of that name\n");
}

}  // namespace mote::jail
