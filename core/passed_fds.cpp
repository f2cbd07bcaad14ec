// SPDX-License-Identifier: Apache-2.0
#include "core/passed_fds.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include "core/check.hpp"

namespace mote {
namespace {

/// Room for a control message.
union Control {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(int) * kMostPassedFds)> bytes;
};

}  // namespace

Result<void> send_with_fds(const UniqueFd& socket, std::span<const std::byte> bytes,
                           std::span<const UniqueFd> fds) {
  CHECK(fds.size() <= kMostPassedFds, "a message has room for its descriptors");
  iovec text{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  Control control{};
  if (!fds.empty()) {
    const std::size_t size = sizeof(int) * fds.size();
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(size);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(size);
    int numbers[kMostPassedFds];
    for (std::size_t i = 0; i < fds.size(); ++i) numbers[i] = fds[i].get();
    std::memcpy(CMSG_DATA(&control.header), numbers, size);
  }
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())) {
    return {};
  }
  return Error::from_errno(errno, "cannot hand descriptors to another process");
}

Result<std::vector<UniqueFd>> receive_with_fds(const UniqueFd& socket, std::span<std::byte> bytes) {
  iovec text{.iov_base = bytes.data(), .iov_len = bytes.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof(control);
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return Error::from_errno(errno, "cannot receive descriptors from another process");
  std::vector<UniqueFd> fds = take_passed_fds(message);
  if (size == static_cast<ssize_t>(bytes.size())) return fds;
  return Error::host("cannot receive descriptors from another process: it was ended");
}

std::vector<UniqueFd> take_passed_fds(msghdr& message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      fds.emplace_back(number);
    }
  }
  return fds;
}

}  // namespace mote
