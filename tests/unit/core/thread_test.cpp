// SPDX-License-Identifier: Apache-2.0
// Threads start under their name, are joined, and say why they could not start.
#include "core/thread.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

namespace mote {
namespace {

struct Seen {
  char name[32] = "";
  std::atomic<bool> done{false};
};

void note_name(void* context) {
  Seen& seen = *static_cast<Seen*>(context);
  ::pthread_getname_np(::pthread_self(), seen.name, sizeof(seen.name));
  seen.done = true;
}

void be_slow(void* context) {
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  *static_cast<std::atomic<bool>*>(context) = true;
}

TEST(ThreadTest, RunsUnderItsName) {
  Seen seen;
  auto thread = Thread::start("vcpu 0", note_name, &seen);
  ASSERT_TRUE(thread.has_value());
  thread->join();
  EXPECT_STREQ(seen.name, "vcpu 0");
}

TEST(ThreadTest, KeepsFifteenCharactersOfALongName) {
  Seen seen;
  auto thread = Thread::start("0123456789abcdefghi", note_name, &seen);
  ASSERT_TRUE(thread.has_value());
  thread->join();
  EXPECT_STREQ(seen.name, "0123456789abcde");
}

TEST(ThreadTest, TheDestructorWaits) {
  std::atomic<bool> done{false};
  {
    auto thread = Thread::start("slow", be_slow, &done);
    ASSERT_TRUE(thread.has_value());
  }
  EXPECT_TRUE(done);
}

TEST(ThreadTest, AssignmentWaitsForTheThreadThatWasThere) {
  std::atomic<bool> done{false};
  auto thread = Thread::start("slow", be_slow, &done);
  ASSERT_TRUE(thread.has_value());
  *thread = Thread();
  EXPECT_TRUE(done);
}

TEST(ThreadTest, JoiningTwiceOrNothingIsHarmless) {
  Thread().join();
  Seen seen;
  auto thread = Thread::start("once", note_name, &seen);
  ASSERT_TRUE(thread.has_value());
  thread->join();
  thread->join();
  EXPECT_TRUE(seen.done);
}

TEST(ThreadTest, AMovedThreadIsJoinedByItsNewOwner) {
  std::atomic<bool> done{false};
  auto started = Thread::start("slow", be_slow, &done);
  ASSERT_TRUE(started.has_value());
  Thread owner(*std::move(started));
  started->join();  // has nothing left to wait for
  owner.join();
  EXPECT_TRUE(done);
}

/// In a child that may not have another process; root is exempt from that limit, so it goes.
[[noreturn]] void start_beyond_the_limit() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_NPROC, &none) != 0) ::_exit(2);
  if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
  Seen seen;
  const auto thread = Thread::start("one too many", note_name, &seen);
  if (thread.has_value()) ::_exit(3);
  std::fprintf(stderr, "%s\n", thread.error().message().c_str());
  ::_exit(0);
}

TEST(ThreadDeathTest, AStartThatFailsNamesTheThreadAndTheLimit) {
  EXPECT_EXIT(start_beyond_the_limit(), testing::ExitedWithCode(0),
              "cannot start thread 'one too many': .*EAGAIN.* -- raise the limit");
}

}  // namespace
}  // namespace mote
