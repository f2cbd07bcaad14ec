// SPDX-License-Identifier: Apache-2.0
// The counter that wakes.
#include "core/event_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace mote {
namespace {

TEST(EventFdTest, CountsSignalsAndStartsAnewAfterADrain) {
  auto event = EventFd::create(true);
  ASSERT_TRUE(event.has_value());
  event->signal();
  event->signal();
  event->signal();
  EXPECT_EQ(event->drain(), 3u);
  event->signal();
  EXPECT_EQ(event->drain(), 1u);
}

TEST(EventFdTest, NonblockingDrainOfNothingIsZero) {
  auto event = EventFd::create(true);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->drain(), 0u);
}

TEST(EventFdTest, BlocksUnlessAskedNotTo) {
  auto event = EventFd::create();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(::fcntl(event->fd(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(EventFdTest, IsNotInheritedByPrograms) {
  auto event = EventFd::create();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(::fcntl(event->fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

}  // namespace
}  // namespace mote
