// SPDX-License-Identifier: Apache-2.0
#include "jail/descriptors.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace mote::jail {
namespace {

/// A message of one byte and one descriptor.
struct DescriptorMessage {
  char byte = 0;
  iovec text{.iov_base = &byte, .iov_len = sizeof(byte)};
  msghdr message{};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};

  DescriptorMessage() {
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
  }
  DescriptorMessage(const DescriptorMessage&) = delete;
  DescriptorMessage& operator=(const DescriptorMessage&) = delete;
};

}  // namespace

Result<void> close_descriptors_except(std::vector<int> kept) {
  kept.push_back(STDERR_FILENO);
  std::sort(kept.begin(), kept.end());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const bool is_last = i + 1 == kept.size();
    const unsigned first = static_cast<unsigned>(kept[i]) + 1;
    const unsigned end =
        is_last ? std::numeric_limits<unsigned>::max() : static_cast<unsigned>(kept[i + 1]);
    if (first >= end) continue;
    if (::close_range(first, is_last ? end : end - 1, 0) != 0) {
      return Error::from_errno(errno, "cannot close inherited descriptors",
                               "it takes Linux 5.9; or do without: --no-sandbox");
    }
  }
  return {};
}

Result<void> send_descriptor(const UniqueFd& socket, const UniqueFd& fd) {
  DescriptorMessage out;
  cmsghdr* const header = CMSG_FIRSTHDR(&out.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = fd.get();
  std::memcpy(CMSG_DATA(header), &number, sizeof(number));
  if (::sendmsg(socket.get(), &out.message, MSG_NOSIGNAL) == 1) return {};
  return Error::from_errno(errno, "cannot hand a descriptor to another process");
}

UniqueFd receive_descriptor(const UniqueFd& socket) {
  DescriptorMessage in;
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket.get(), &in.message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  const cmsghdr* const header = size == 1 ? CMSG_FIRSTHDR(&in.message) : nullptr;
  if (header == nullptr) return UniqueFd();
  int number = -1;
  std::memcpy(&number, CMSG_DATA(header), sizeof(number));
  return UniqueFd(number);
}

}  // namespace mote::jail
