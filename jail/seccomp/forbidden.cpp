// SPDX-License-Identifier: Apache-2.0
#include "jail/seccomp/forbidden.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "core/thread.hpp"
#include "core/types.hpp"
#include "jail/seccomp/filter.hpp"

namespace mote::jail {
namespace {

// A signal handler can only reach what is global.
int g_exit_code = 1;
void (*g_last_act)() = nullptr;

/// A line in the making, without anything that could need the heap or a lock.
class Line {
 public:
  Line& operator<<(std::string_view text) {
    const std::size_t count = std::min(text.size(), text_.size() - size_);
    std::copy_n(text.data(), count, text_.data() + size_);
    size_ += count;
    return *this;
  }
  Line& operator<<(int number) {
    std::array<char, 12> digits;
    std::size_t first = digits.size();
    auto rest = static_cast<u32>(std::max(number, 0));
    do {
      digits[--first] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    } while (rest != 0);
    if (number < 0) *this << "-";
    return *this << std::string_view(digits.data() + first, digits.size() - first);
  }
  void write() const {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text_.data(), size_);
  }

 private:
  std::array<char, 256> text_;
  std::size_t size_ = 0;
};

void on_forbidden_call(int signal, siginfo_t* info, void*) {
  constexpr int kBySeccomp = 1;  // SYS_SECCOMP, which glibc 2.36 does not have
  const bool by_filter = info->si_code == kBySeccomp;
  if (by_filter) {
    const char* const name = call_name(info->si_syscall);
    Line line;
    const char* const thread = thread_name();
    line << "mote: thread '" << std::string_view(thread, ::strnlen(thread, 15))
         << "': forbidden system call " << info->si_syscall;
    if (name != nullptr) line << " (" << name << ")";
    line << ": the VM is ended -- a guest may have broken out, or this is a bug of Mote's\n";
    line.write();
  }
  if (g_last_act != nullptr) g_last_act();
  ::_exit(by_filter ? g_exit_code : 128 + signal);
}

}  // namespace

Result<void> report_forbidden_calls(int exit_code, void (*last_act)()) {
  g_exit_code = exit_code;
  g_last_act = last_act;
  struct sigaction action{};
  action.sa_sigaction = &on_forbidden_call;
  action.sa_flags = SA_SIGINFO;
  if (::sigaction(SIGSYS, &action, nullptr) != 0) {
    return Error::from_errno(errno, "cannot install the handler of forbidden system calls");
  }
  return {};
}

}  // namespace mote::jail
