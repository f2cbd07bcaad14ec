// SPDX-License-Identifier: Apache-2.0
// Who closes a file descriptor, and when.
#include "core/fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace mote {
namespace {

UniqueFd open_null() {
  auto fd = open_file("/dev/null", O_RDONLY);
  CHECK(fd.has_value(), "/dev/null is there");
  return *std::move(fd);
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(UniqueFdTest, ClosesAtTheEndOfItsLife) {
  int raw = -1;
  {
    const UniqueFd fd = open_null();
    raw = fd.get();
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(UniqueFdTest, MovingHandsItOver) {
  UniqueFd first = open_null();
  const int raw = first.get();
  const UniqueFd second(std::move(first));
  EXPECT_FALSE(static_cast<bool>(first));  // NOLINT: the state after the move is the point
  EXPECT_EQ(second.get(), raw);
  EXPECT_TRUE(is_open(raw));
}

TEST(UniqueFdTest, AssignmentClosesWhatWasThere) {
  UniqueFd target = open_null();
  UniqueFd source = open_null();
  const int old = target.get();
  const int kept = source.get();
  target = std::move(source);
  EXPECT_FALSE(is_open(old));
  EXPECT_TRUE(is_open(kept));
  EXPECT_EQ(target.get(), kept);
}

TEST(UniqueFdTest, SurvivesAssignmentToItself) {
  UniqueFd fd = open_null();
  const int raw = fd.get();
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_EQ(fd.get(), raw);
  EXPECT_TRUE(is_open(raw));
}

TEST(UniqueFdTest, ReleaseGivesItUpOpen) {
  UniqueFd fd = open_null();
  const UniqueFd taken(fd.release());
  EXPECT_FALSE(static_cast<bool>(fd));
  EXPECT_TRUE(is_open(taken.get()));
}

TEST(OpenFile, IsNotInheritedByPrograms) {
  const UniqueFd fd = open_null();
  EXPECT_EQ(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(OpenFile, NamesPathReasonAndRemedy) {
  const auto fd = open_file("/nowhere/at all", O_RDONLY, "look elsewhere");
  ASSERT_FALSE(fd.has_value());
  EXPECT_EQ(fd.error().message(),
            "cannot open '/nowhere/at all': No such file or directory (ENOENT) -- look elsewhere");
  EXPECT_EQ(fd.error().errno_value(), ENOENT);
}

}  // namespace
}  // namespace mote
