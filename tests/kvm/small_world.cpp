// SPDX-License-Identifier: Apache-2.0
#include "tests/kvm/small_world.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>

namespace mote::test {
namespace {

std::string failed(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

bool mount_device(const char* path, unsigned major, unsigned minor) {
  const std::string node = std::string("node") + std::to_string(minor);
  return ::mknod(node.c_str(), S_IFCHR | 0666, makedev(major, minor)) == 0 &&
         ::chmod(node.c_str(), 0666) == 0 &&
         ::mount(node.c_str(), path, nullptr, MS_BIND, nullptr) == 0 && ::unlink(node.c_str()) == 0;
}

/// What takes the host's root: copies and devices for everybody, in the folder.
std::string furnish(const char* folder, const char* const (&programs)[2]) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return failed("private mounts");
  }
  const bool is_mounted = ::mount("", folder, "tmpfs", 0, "mode=0777") == 0;
  const int inside = is_mounted ? ::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (inside < 0 || ::fchdir(inside) != 0) return failed(folder);
  ::close(inside);
  for (const std::string from : programs) {
    const std::string name = from.substr(from.rfind('/') + 1);
    std::ofstream(name, std::ios::binary) << std::ifstream(from, std::ios::binary).rdbuf();
    if (::chmod(name.c_str(), 0755) != 0) return failed(name);
  }
  if (!mount_device("/dev/kvm", 10, 232) || !mount_device("/dev/net/tun", 10, 200)) {
    return failed("devices for everybody");
  }
  return {};
}

int count_entries(const char* folder, bool (*counts)(const char* name)) {
  DIR* const open = ::opendir(folder);
  if (open == nullptr) return -1;
  int count = 0;
  while (const dirent* entry = ::readdir(open)) count += counts(entry->d_name) ? 1 : 0;
  ::closedir(open);
  return count;
}

/// The first process of the world.
std::string live(std::string (*body)()) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("proc", "/proc", "proc", 0, nullptr) != 0) {
    return failed("/proc");
  }
  return body();
}

/// In the process that makes the world; `mapped` ends when its users are mapped.
std::string make(const char* folder, const char* const (&programs)[2], int unmapped, int mapped,
                 int report, std::string (*body)()) {
  std::string problem = furnish(folder, programs);
  if (!problem.empty()) return problem;
  char byte = 0;
  if (::unshare(CLONE_NEWUSER) != 0 || ::close(unmapped) != 0 || ::read(mapped, &byte, 1) != 0 ||
      ::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) {
    return failed("a user namespace");
  }
  if (::unshare(CLONE_NEWPID | CLONE_NEWNET) != 0) return failed("namespaces");
  const pid_t first = ::fork();
  if (first == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::string text = live(body);
    ::_exit(::write(report, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(first, &status, 0);
  return status == 0 ? std::string() : "the world ended with status " + std::to_string(status);
}

bool map_users(pid_t process) {
  bool done = true;
  for (const char* map : {"uid_map", "gid_map"}) {
    std::ofstream file("/proc/" + std::to_string(process) + "/" + map);
    file << "0 0 4294967295" << std::flush;
    done &= file.good();
  }
  return done;
}

}  // namespace

std::string in_small_world(const char* const (&programs)[2], std::string (*body)()) {
  int unmapped[2];
  int mapped[2];
  int report[2];
  for (int* const ends : {unmapped, mapped, report}) {
    if (::pipe2(ends, O_CLOEXEC) != 0) return failed("pipe");
  }
  char folder[] = "/tmp/mote-world-XXXXXX";
  if (::mkdtemp(folder) == nullptr) return failed(folder);
  const pid_t maker = ::fork();
  if (maker == 0) {
    for (const int fd : {unmapped[0], mapped[1], report[0]}) ::close(fd);
    const std::string problem = make(folder, programs, unmapped[1], mapped[0], report[1], body);
    ::_exit(::write(report[1], problem.data(), problem.size()) < 0 ? 1 : 0);
  }
  for (const int fd : {unmapped[1], mapped[0], report[1]}) ::close(fd);
  char buffer[4096];
  std::string text;
  if (::read(unmapped[0], buffer, 1) == 0 && !map_users(maker)) text = "users cannot be mapped";
  ::close(mapped[1]);
  ssize_t got = 0;
  while ((got = ::read(report[0], buffer, sizeof(buffer))) > 0) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  for (const int fd : {unmapped[0], report[0]}) ::close(fd);
  ::waitpid(maker, nullptr, 0);
  ::rmdir(folder);
  return text;
}

bool limit_namespaces(const char* kind, int count) {
  std::ofstream file("/proc/sys/user/max_" + std::string(kind) + "_namespaces");
  file << count << std::flush;
  return file.good();
}

bool limit_namespaces(int count) {
  return std::all_of(std::begin(kNamespaceKinds), std::end(kNamespaceKinds),
                     [count](const char* kind) { return limit_namespaces(kind, count); });
}

int other_processes() {
  return count_entries("/proc", [](const char* name) { return *name >= '1' && *name <= '9'; }) - 1;
}

int mounts() {
  std::ifstream file("/proc/self/mountinfo");
  return static_cast<int>(
      std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n'));
}

int descriptors() {
  return count_entries("/proc/self/fd", [](const char* name) { return *name != '.'; });
}

}  // namespace mote::test
