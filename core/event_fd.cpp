// SPDX-License-Identifier: Apache-2.0
#include "core/event_fd.hpp"

#include <sys/eventfd.h>

#include <cerrno>

namespace mote {

Result<EventFd> EventFd::create(bool nonblocking) {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | (nonblocking ? EFD_NONBLOCK : 0)));
  if (!fd) return Error::from_errno(errno, "cannot create an eventfd");
  return EventFd(std::move(fd));
}

void EventFd::signal() const {
  signal_eventfd(fd_.get());
}

u64 EventFd::drain() const {
  u64 count = 0;
  const ssize_t got = ::read(fd_.get(), &count, sizeof(count));
  return got == sizeof(count) ? count : 0;
}

void signal_eventfd(int fd) {
  const u64 one = 1;
  [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof(one));
}

}  // namespace mote
