// SPDX-License-Identifier: Apache-2.0
#include "api/http/unix_listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "api/http/unix_address.hpp"
#include "core/patience.hpp"

namespace mote::http {
namespace {

constexpr int kBacklog = 128;

Result<UniqueFd> make_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Error::from_errno(errno, "cannot make a Unix socket");
  return fd;
}

Result<bool> is_served(const sockaddr_un& address) {
  const UniqueFd probe = TRY(make_socket());
  return with_address(::connect, probe.get(), address) == 0 || errno != ECONNREFUSED;
}

/// Removes a socket that its owner left behind.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  const std::string listen = "cannot listen at '" + path + "': ";
  if (!S_ISSOCK(status.st_mode)) {
    return Error::config(listen + "there is something that is no socket -- choose another path");
  }
  // One whose process was just killed is served until the last of its threads has gone.
  constexpr u32 kTimes = 10;
  Patience patience(kTimes);
  while (TRY(is_served(address))) {
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
  auto address = unix_address(path);
  if (!address) return std::move(address).error().within("cannot listen at '" + path + "'");
  UnixListener listener(TRY(make_socket()), path);
  int bound = with_address(::bind, listener.fd(), *address);
  if (bound != 0 && errno == EADDRINUSE) {
    TRY(remove_stale(path, *address));
    bound = with_address(::bind, listener.fd(), *address);
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
