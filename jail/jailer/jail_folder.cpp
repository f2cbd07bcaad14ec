// SPDX-License-Identifier: Apache-2.0
#include "jail/jailer/jail_folder.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "core/fd.hpp"
#include "jail/jailer/os_error.hpp"

namespace mote::jailer {
namespace {

Result<std::string> canonical(const std::string& path) {
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) != nullptr) return std::string(resolved);
  return os_error("Failed to canonicalize path " + path, errno);
}

Result<void> make_folders(const std::string& path) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0777) != 0 && errno != EEXIST) {
      return os_error("Failed to create directory " + part, errno);
    }
    if (at == std::string::npos) return {};
  }
}

/// The quickest way that the file systems allow: shared blocks, a copy by the file system, a copy
/// by the kernel.
bool copy(int from, int to, std::size_t size) {
  if (::ioctl(to, FICLONE, from) == 0) return true;
  std::size_t left = size;
  while (left > 0) {
    const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, left, 0);
    if (copied <= 0) break;
    left -= static_cast<std::size_t>(copied);
  }
  while (left > 0) {
    const ssize_t copied = ::sendfile(to, from, nullptr, left);
    if (copied < 0 && errno == EINTR) continue;
    if (copied <= 0) return false;
    left -= static_cast<std::size_t>(copied);
  }
  return true;
}

Result<void> copy_program(const JailFolder& folder, const Arguments& arguments) {
  const std::string target = folder.root + "/" + folder.name;
  const std::string what = "Failed to copy " + folder.program + " to " + target;
  const UniqueFd from(::open(folder.program.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat source{};
  if (!from || ::fstat(from.get(), &source) != 0) {
    return os_error("Failed to open " + folder.program, errno);
  }
  const UniqueFd to(::open(target.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                           source.st_mode & 0777));
  struct stat made{};
  if (!to || ::fstat(to.get(), &made) != 0) return os_error("Failed to open " + target, errno);
  if (!S_ISREG(made.st_mode)) return Error::host(target + " is not a file");
  if (made.st_nlink > 1) return Error::host("Detected hard link at: " + target);
  if (::ftruncate(to.get(), 0) != 0 ||
      !copy(from.get(), to.get(), static_cast<std::size_t>(source.st_size))) {
    return os_error(what, errno);
  }
  if (::fchown(to.get(), arguments.uid, arguments.gid) != 0) {
    return os_error("Failed to change owner for " + target, errno);
  }
  return {};
}

}  // namespace

Result<JailFolder> find_jail_folder(const Arguments& arguments) {
  JailFolder folder;
  folder.program = TRY(canonical(arguments.exec_file));
  struct stat status{};
  if (::stat(folder.program.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Error::config(folder.program + " is not a file");
  }
  folder.name = folder.program.substr(folder.program.rfind('/') + 1);
  const std::string base = TRY(canonical(arguments.chroot_base));
  if (::stat(base.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return Error::config(base + " is not a directory");
  }
  folder.root = (base == "/" ? "" : base) + "/" + folder.name + "/" + arguments.id + "/root";
  return folder;
}

Result<void> make_jail_folder(const JailFolder& folder, const Arguments& arguments) {
  TRY(make_folders(folder.root));
  return copy_program(folder, arguments);
}

}  // namespace mote::jailer
