// SPDX-License-Identifier: Apache-2.0
#include "api/http/unix_listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/patience.hpp"
#include "core/text.hpp"

namespace mote::http {
namespace {

constexpr int kBacklog = 128;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

template <class Call>
int with_address(Call call, int fd, const std::string& path) {
  const sockaddr_un address = address_of(path);
  return call(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

Result<UniqueFd> make_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Error::from_errno(errno, "cannot make a Unix socket");
  return fd;
}

Result<bool> is_served(const std::string& path) {
  const UniqueFd probe = TRY(make_socket());
  return with_address(::connect, probe.get(), path) == 0 || errno != ECONNREFUSED;
}

/// Removes a socket that its owner left behind.
Result<void> remove_stale(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  const std::string listen = "cannot listen at '" + path + "': ";
  if (!S_ISSOCK(status.st_mode)) {
    return Error::config(listen + "there is something that is no socket -- choose another path");
  }
  // One whose process was just killed is served until the last of its threads has gone.
  constexpr u32 kTimes = 10;
  Patience patience(kTimes);
  while (TRY(is_served(path))) {
    if (!patience.wait()) {
      return Error::config(listen +
                           "a process serves this socket -- choose another path, or end that one");
    }
  }
  if (::unlink(path.c_str()) != 0) {
    return Error::from_errno(errno, listen + "cannot remove the socket of a process that is gone");
  }
  return {};
}

}  // namespace

Result<UnixListener> UnixListener::create(const std::string& path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error::config(format("cannot listen at '%s': the path of a socket has 1 to %zu bytes",
                                path.c_str(), sizeof(sockaddr_un::sun_path) - 1));
  }
  UnixListener listener(TRY(make_socket()), path);
  int bound = with_address(::bind, listener.fd(), path);
  if (bound != 0 && errno == EADDRINUSE) {
    TRY(remove_stale(path));
    bound = with_address(::bind, listener.fd(), path);
  }
  if (bound != 0) {
    return Error::from_errno(errno, "cannot listen at '" + path + "'",
                             "the directory has to exist and be writable");
  }
  TRY(listener.take_file());
  if (::listen(listener.fd(), kBacklog) != 0) {
    Error error = Error::from_errno(errno, "cannot listen at '" + path + "'");
    listener.remove();
    return error;
  }
  return listener;
}

std::string UnixListener::folder() const {
  const std::size_t slash = path_.rfind('/');
  return slash == std::string::npos ? "." : path_.substr(0, slash + 1);
}

/// Remembers which file was made.
Result<void> UnixListener::take_file() {
  name_ = path_.substr(path_.rfind('/') + 1);
  folder_.reset(::open(folder().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status{};
  if (!folder_ || ::fstatat(folder_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    Error error = Error::from_errno(errno, "cannot examine the socket '" + path_ + "'");
    ::unlink(path_.c_str());
    return error;
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return {};
}

void UnixListener::remove() {
  if (!folder_) return;
  struct stat status{};
  if (::fstatat(folder_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      status.st_dev == device_ && status.st_ino == inode_) {
    ::unlinkat(folder_.get(), name_.c_str(), 0);
  }
  folder_.reset();
}

}  // namespace mote::http
