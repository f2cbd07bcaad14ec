// SPDX-License-Identifier: Apache-2.0
#include "fake_cgroupfs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/check.hpp"

namespace {

std::string fake_root;
std::vector<std::string> fake_files;

std::string path_of(int directory, const char* name) {
  char path[PATH_MAX] = "";
  const std::string link = "/proc/self/fd/" + std::to_string(directory);
  const ssize_t size = ::readlink(link.c_str(), path, sizeof(path));
  return std::string(path, size > 0 ? static_cast<std::size_t>(size) : 0) + "/" + name;
}

bool is_fake(const std::string& path) {
  return !fake_root.empty() && path.starts_with(fake_root + "/");
}

bool has_processes(const std::string& group) {
  std::ifstream processes(group + "/cgroup.procs");
  pid_t pid = 0;
  while (processes >> pid) {
    if (mote::test::is_running(pid)) return true;
  }
  return false;
}

}  // namespace

extern "C" int mkdirat(int directory, const char* name, mode_t mode) {
  const auto made = static_cast<int>(::syscall(SYS_mkdirat, directory, name, mode));
  if (const std::string path = path_of(directory, name); made == 0 && is_fake(path)) {
    for (const std::string& file : fake_files) std::ofstream(path + "/" + file).flush();
  }
  return made;
}

extern "C" int unlinkat(int directory, const char* name, int flags) {
  if (const std::string path = path_of(directory, name); is_fake(path)) {
    if (has_processes(path)) {
      errno = EBUSY;
      return -1;
    }
    for (const std::string& file : fake_files) ::unlink((path + "/" + file).c_str());
  }
  return static_cast<int>(::syscall(SYS_unlinkat, directory, name, flags));
}

namespace mote::test {

bool is_running(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string word;
  char state = 'Z';
  stat >> word >> word >> state;
  return state != 'Z';
}

FakeCgroupfs::FakeCgroupfs(bool unified, std::vector<std::string> files) : unified_(unified) {
  CHECK(fake_root.empty(), "one fake tree at a time");
  char folder[] = "/tmp/mote-cgroupfs.XXXXXX";
  CHECK(::mkdtemp(folder) != nullptr, "/tmp takes a folder");
  root_ = folder;
  fake_root = root_;
  fake_files = std::move(files);
  fake_files.emplace_back("cgroup.procs");
  if (unified_) {
    fake_files.insert(fake_files.end(), {"cgroup.type", "cgroup.subtree_control"});
  }
  for (const std::string& file : fake_files) {
    if (file != "cgroup.type") write(file, "");
  }
}

FakeCgroupfs::~FakeCgroupfs() {
  fake_root.clear();
  std::filesystem::remove_all(root_);
}

jail::CgroupHierarchy FakeCgroupfs::hierarchy(std::vector<std::string> controllers,
                                              std::string own) const {
  return {.unified = unified_,
          .mount = root_,
          .own = std::move(own),
          .controllers = std::move(controllers)};
}

void FakeCgroupfs::make_group(const std::string& path) const {
  CHECK(::mkdir((root_ + "/" + path).c_str(), 0755) == 0, "a new group");
  for (const std::string& file : fake_files) write(path + "/" + file, "");
}

void FakeCgroupfs::write(const std::string& path, std::string_view text) const {
  std::ofstream(root_ + "/" + path) << text;
}

std::string FakeCgroupfs::read(const std::string& path) const {
  std::ostringstream text;
  text << std::ifstream(root_ + "/" + path).rdbuf();
  return text.str();
}

bool FakeCgroupfs::exists(const std::string& path) const {
  return std::filesystem::exists(root_ + "/" + path);
}

}  // namespace mote::test
