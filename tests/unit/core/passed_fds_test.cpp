// SPDX-License-Identifier: Apache-2.0
#include "core/passed_fds.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "core/event_fd.hpp"

namespace mote {
namespace {

struct Ends {
  UniqueFd near;
  UniqueFd far;
};

Ends make_ends(int type = SOCK_SEQPACKET) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<UniqueFd> some_fds(std::size_t count) {
  std::vector<UniqueFd> fds;
  for (std::size_t i = 0; i < count; ++i) fds.emplace_back(::dup(STDERR_FILENO));
  return fds;
}

TEST(PassedFds, ArriveAsCopiesWithTheBytes) {
  const Ends ends = make_ends();
  const EventFd event = *EventFd::create(true);
  const UniqueFd sent[] = {UniqueFd(::dup(event.fd()))};
  const std::array text = {std::byte{'a'}, std::byte{'b'}};
  ASSERT_TRUE(send_with_fds(ends.near, text, sent));
  std::array<std::byte, 2> got{};
  const auto fds = receive_with_fds(ends.far, got);
  ASSERT_TRUE(fds) << fds.error().message();
  EXPECT_EQ(got, text);
  ASSERT_EQ(fds->size(), 1u);
  signal_eventfd(fds->front().get());
  EXPECT_EQ(event.drain(), 1u);
  EXPECT_NE(::fcntl(fds->front().get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(PassedFds, MayBeNoneOrAsManyAsThereIsRoomFor) {
  const Ends ends = make_ends();
  for (const std::size_t count : {std::size_t{0}, kMostPassedFds}) {
    std::array<std::byte, 1> byte{};
    ASSERT_TRUE(send_with_fds(ends.near, byte, some_fds(count)));
    const auto fds = receive_with_fds(ends.far, byte);
    ASSERT_TRUE(fds);
    EXPECT_EQ(fds->size(), count);
  }
}

TEST(PassedFds, OfNobodyAreAnError) {
  Ends ends = make_ends();
  ends.near.reset();
  std::array<std::byte, 1> byte{};
  const auto fds = receive_with_fds(ends.far, byte);
  ASSERT_FALSE(fds);
  EXPECT_EQ(fds.error().message(), "cannot receive descriptors from another process: it was ended");
  EXPECT_FALSE(send_with_fds(ends.far, byte, {}));  // and no SIGPIPE
}

}  // namespace
}  // namespace mote
