// SPDX-License-Identifier: Apache-2.0
#include "jail/cgroup/directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "core/clock.hpp"
#include "jail/cgroup/files.hpp"
#include "jail/words.hpp"

namespace mote::jail {
namespace {

constexpr const char* kProcesses = "cgroup.procs";
constexpr const char* kPermission =
    "as root, or in a part of the tree that is yours: systemd-run --user --scope -p Delegate=yes "
    "COMMAND, or name such a group as the parent";

Error refused(int errno_value, const std::string& what) {
  const bool by_permission = errno_value == EACCES || errno_value == EPERM || errno_value == EROFS;
  return Error::from_errno(errno_value, what, by_permission ? kPermission : "");
}

UniqueFd open_folder(int directory, const std::string& name) {
  return UniqueFd(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void sleep_ms(u32 time) {
  const timespec span{.tv_sec = 0, .tv_nsec = long{time} * 1'000'000};
  ::nanosleep(&span, nullptr);
}

/// Kills what the group holds at this moment.
void kill_processes(int group) {
  // Linux 5.14, v2: all at once, forks included.
  const UniqueFd kill_file(::openat(group, "cgroup.kill", O_WRONLY | O_CLOEXEC));
  if (kill_file && ::write(kill_file.get(), "1", 1) == 1) return;
  const UniqueFd processes(::openat(group, kProcesses, O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t size = processes ? ::read(processes.get(), text, sizeof(text) - 1) : 0;
  if (size <= 0) return;
  text[size] = '\0';
  for (char* at = text; *at != '\0';) {
    char* end = at;
    const long pid = std::strtol(at, &end, 10);
    if (end == at) return;
    // WHY ask for the end: a number that the buffer cut off is another process's.
    const bool is_whole = *end == '\n' || size < static_cast<ssize_t>(sizeof(text)) - 1;
    if (pid > 0 && is_whole) ::kill(static_cast<pid_t>(pid), SIGKILL);
    at = *end == '\0' ? end : end + 1;
  }
}

}  // namespace

Result<CgroupDirectory> CgroupDirectory::open(std::string path) {
  UniqueFd fd = open_folder(AT_FDCWD, path);
  if (!fd) return refused(errno, "cannot open the control group '" + path + "'");
  return CgroupDirectory(std::move(path), std::move(fd));
}

Result<CgroupDirectory> CgroupDirectory::child(const std::string& name) const {
  std::string path = path_ + "/" + name;
  UniqueFd fd = open_folder(fd_.get(), name);
  if (!fd) return refused(errno, "cannot open the control group '" + path + "'");
  return CgroupDirectory(std::move(path), std::move(fd));
}

Result<CgroupDirectory> CgroupDirectory::make_child(const std::string& name) const {
  const std::string what = "cannot make the control group '" + path_ + "/" + name + "'";
  int made = ::mkdirat(fd_.get(), name.c_str(), 0755);
  if (made != 0 && errno == EEXIST) {
    if (::unlinkat(fd_.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
      return Error::from_errno(EEXIST, what, "processes are in it: choose another name");
    }
    made = ::mkdirat(fd_.get(), name.c_str(), 0755);
  }
  if (made != 0) return refused(errno, what);
  return child(name);
}

Result<void> CgroupDirectory::remove_child(const std::string& name, u32 patience_ms) const {
  const u64 deadline = clock_ns(CLOCK_MONOTONIC) + u64{patience_ms} * 1'000'000;
  for (u32 pause = 1;; pause = std::min(pause * 2, 50U)) {
    // First, because it is empty as a rule.
    if (::unlinkat(fd_.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    const int reason = errno;
    if (reason != EBUSY || clock_ns(CLOCK_MONOTONIC) >= deadline) {
      return Error::from_errno(reason,
                               "cannot remove the control group '" + path_ + "/" + name + "'",
                               reason == EBUSY ? "something in it cannot be ended" : "");
    }
    const UniqueFd group = open_folder(fd_.get(), name);
    if (group) kill_processes(group.get());
    sleep_ms(pause);
  }
}

bool CgroupDirectory::has(const char* file) const {
  return ::faccessat(fd_.get(), file, F_OK, 0) == 0;
}

Result<std::string> CgroupDirectory::read(const std::string& file) const {
  auto text = read_file_at(fd_.get(), file);
  if (!text) return std::move(text).error().within("control group '" + path_ + "'");
  return text;
}

Result<void> CgroupDirectory::write(const CgroupSetting& setting) const {
  const auto written = write_file_at(fd_.get(), setting.file, setting.value);
  if (written) return {};
  return refused(written.error().errno_value(),
                 "cannot set '" + path_ + "/" + setting.file + "' to '" + setting.value + "'");
}

Result<std::vector<pid_t>> CgroupDirectory::processes() const {
  const std::string text = TRY(read(kProcesses));
  std::vector<pid_t> processes;
  for (const std::string_view word : split(text, '\n')) {
    pid_t pid = 0;
    std::from_chars(word.data(), word.data() + word.size(), pid);
    processes.push_back(pid);
  }
  return processes;
}

Result<UniqueFd> CgroupDirectory::open_processes() const {
  UniqueFd fd(::openat(fd_.get(), kProcesses, O_WRONLY | O_CLOEXEC));
  if (!fd) return refused(errno, "cannot open '" + path_ + "/" + kProcesses + "'");
  return fd;
}

Result<void> add_process(const UniqueFd& processes, pid_t pid) {
  char text[16];
  const auto [end, error] = std::to_chars(std::begin(text), std::end(text), pid);
  if (::write(processes.get(), text, static_cast<std::size_t>(end - text)) > 0) return {};
  return refused(errno, "cannot move a process into the control group");
}

}  // namespace mote::jail
