// SPDX-License-Identifier: Apache-2.0
#include "jail/jailer/launch.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "core/clock.hpp"
#include "jail/jailer/os_error.hpp"

namespace mote::jailer {
namespace {

u64 microseconds(clockid_t clock) {
  return clock_ns(clock) / 1000;
}

/// The child goes on, the parent ends.
Result<void> continue_in_child() {
  const pid_t child = ::fork();
  if (child < 0) return os_error("Failed to daemonize", errno);
  if (child > 0) ::_exit(0);
  return {};
}

/// Forked twice, so that the process is no leader of its session and can get no terminal.
Result<void> daemonize(const UniqueFd& null) {
  TRY(continue_in_child());
  if (::setsid() < 0) return os_error("Failed to daemonize", errno);
  TRY(continue_in_child());
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(null.get(), fd) < 0) return os_error("Failed to duplicate fd", errno);
  }
  return {};
}

Result<void> write_pid(const std::string& name, pid_t pid) {
  const std::string path = "/" + name + ".pid";
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file) return os_error("Failed to open file " + path, errno);
  const std::string text = std::to_string(pid);
  if (::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return os_error("Failed to write to " + path, errno);
}

/// The child is the first process of a PID namespace; the parent notes its number and ends.
Result<void> continue_in_pid_namespace(const std::string& name) {
  const auto child =
      static_cast<pid_t>(::syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, nullptr, 0, 0, 0));
  if (child < 0) return os_error("Failed cloning into a new child process", errno);
  if (child == 0) return {};
  TRY(write_pid(name, child));
  ::_exit(0);
}

}  // namespace

StartTimes start_times() {
  return {microseconds(CLOCK_MONOTONIC), microseconds(CLOCK_PROCESS_CPUTIME_ID)};
}

Result<void> join_network(const std::string& path) {
  const UniqueFd network(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!network) return os_error("Failed to open file " + path, errno);
  if (::setns(network.get(), CLONE_NEWNET) == 0) return {};
  return os_error("Failed to join network namespace: netns", errno);
}

Result<void> limit_resources(const Arguments& arguments) {
  const rlimit descriptors{arguments.descriptors, arguments.descriptors};
  if (::setrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
    return os_error("Failed to set limit for resource: no-file", errno);
  }
  if (!arguments.file_size) return {};
  const rlimit size{*arguments.file_size, *arguments.file_size};
  if (::setrlimit(RLIMIT_FSIZE, &size) == 0) return {};
  return os_error("Failed to set limit for resource: fsize", errno);
}

Error launch(const Arguments& arguments, const std::string& name, const StartTimes& start,
             const UniqueFd& null) {
  // A process that was forked has spent no time yet: the time of the others is told besides.
  const bool forks = arguments.daemonize || arguments.new_pid_ns;
  const u64 spent_us = microseconds(CLOCK_PROCESS_CPUTIME_ID) - start.cpu_us;
  if (arguments.daemonize) {
    auto done = daemonize(null);
    if (!done) return std::move(done).error();
  }
  auto noted = arguments.new_pid_ns ? continue_in_pid_namespace(name) : write_pid(name, ::getpid());
  if (!noted) return std::move(noted).error();

  const std::string path = "/" + name;
  std::vector<std::string> words = {path,
                                    "--id",
                                    arguments.id,
                                    "--start-time-us",
                                    std::to_string(start.wall_us),
                                    "--start-time-cpu-us",
                                    std::to_string(forks ? 0 : start.cpu_us),
                                    "--parent-cpu-time-us",
                                    std::to_string(forks ? spent_us : 0)};
  words.insert(words.end(), arguments.extra.begin(), arguments.extra.end());
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  char* no_environment[] = {nullptr};

  if (::setgroups(0, nullptr) != 0 || ::setgid(arguments.gid) != 0 ||
      ::setuid(arguments.uid) != 0) {
    return os_error("Failed to exec into Firecracker", errno);
  }
  ::execve(path.c_str(), pointers.data(), no_environment);
  return os_error("Failed to exec into Firecracker", errno);
}

}  // namespace mote::jailer
