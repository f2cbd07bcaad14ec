// SPDX-License-Identifier: Apache-2.0
// Memory that the ring was given once for all: what uses it, what does not, and who may.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include "core/event_loop.hpp"
#include "core/mapping.hpp"
#include "tests/unit/core/loop_thread.hpp"

namespace mote {
namespace {

using test::LoopThread;
using test::Results;

constexpr std::size_t kPiece = 2 * kPageSize;

Mapping make_memory(std::size_t size) {
  auto mapping = Mapping::create(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
                                 "memory of a test");
  CHECK(mapping.has_value(), "a little memory can be mapped");
  return *std::move(mapping);
}

/// Two pieces side by side, pinned, and a page behind them that is not.
struct PinnedMemoryTest : testing::Test {
  LoopThread thread{{.files = 1}};
  Results results;
  UniqueFd file{::memfd_create("test", MFD_CLOEXEC)};
  FixedFile fixed{};
  Mapping memory = make_memory(2 * kPiece + kPageSize);

  void SetUp() override {
    auto added = thread.loop().add_file(file.get());
    ASSERT_TRUE(added.has_value());
    fixed = *added;
    ASSERT_EQ(::ftruncate(file.get(), 1 << 20), 0);
    std::byte* const base = memory.data();
    ASSERT_TRUE(thread.loop().pin_memory({{base, kPiece}, {base + kPiece, kPiece}}).has_value());
    thread.start();
  }
  i32 transfer(bool reads, std::size_t at, std::size_t size, u64 offset) {
    const iovec buffer[] = {{memory.data() + at, size}};
    const std::size_t before = results.count();
    thread.call([&] {
      if (reads) {
        thread.loop().read_at(fixed, buffer, offset, results.completion());
      } else {
        thread.loop().write_at(fixed, buffer, offset, RWF_DSYNC, results.completion());
      }
    });
    return results.wait(before + 1).back();
  }
  i32 read(std::size_t at, std::size_t size, u64 offset = 0) {
    return transfer(true, at, size, offset);
  }
  i32 write(std::size_t at, std::size_t size, u64 offset = 0) {
    return transfer(false, at, size, offset);
  }
  /// Only who has the pages already gets through.
  void forbid() { ASSERT_EQ(::mprotect(memory.data(), memory.size(), PROT_NONE), 0); }
  void allow() { ASSERT_EQ(::mprotect(memory.data(), memory.size(), PROT_READ | PROT_WRITE), 0); }
};

TEST_F(PinnedMemoryTest, OneBufferInOnePieceSparesTheLookUp) {
  std::memcpy(memory.data() + kPiece, "to the file", 11);
  forbid();
  EXPECT_EQ(write(kPiece, 11, 4096), 11);
  EXPECT_EQ(read(100, 11, 4096), 11);
  EXPECT_EQ(read(2 * kPiece - 11, 11, 4096), 11) << "up to its end";
  allow();
  EXPECT_EQ(std::memcmp(memory.data() + 100, "to the file", 11), 0);
  EXPECT_EQ(std::memcmp(memory.data() + 2 * kPiece - 11, "to the file", 11), 0);
}

TEST_F(PinnedMemoryTest, AllElseIsLookedUp) {
  const std::size_t outside = 2 * kPiece;
  for (const std::size_t at : {kPiece - 8, outside, outside - 8}) {
    std::memcpy(memory.data() + at, "crossing everything", 19);
    EXPECT_EQ(write(at, 19), 19);
    std::memset(memory.data() + at, 0, 19);
    EXPECT_EQ(read(at, 19), 19);
    EXPECT_EQ(std::memcmp(memory.data() + at, "crossing everything", 19), 0) << at;
    forbid();
    EXPECT_EQ(read(at, 19), -EFAULT) << at;
    allow();
  }
}

TEST_F(PinnedMemoryTest, SeveralBuffersAreLookedUp) {
  char* const text = reinterpret_cast<char*>(memory.data());
  ASSERT_EQ(::pwrite(file.get(), "abcdef", 6, 0), 6);
  const iovec buffers[] = {{text, 3}, {text + 16, 3}};
  thread.call([&] { thread.loop().read_at(fixed, buffers, 0, results.completion()); });
  EXPECT_EQ(results.wait(1), std::vector<i32>{6});
  EXPECT_EQ(std::string(text, 3) + std::string(text + 16, 3), "abcdef");
}

/// Takes away from this thread what makes it exempt from limits.
void give_up_ipc_lock() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  CHECK(::syscall(SYS_capget, &header, data) == 0, "capabilities can be asked for");
  data[0].effective &= ~(1u << CAP_IPC_LOCK);
  CHECK(::syscall(SYS_capset, &header, data) == 0, "capabilities can be given up");
}

TEST(PinnedMemoryLimitTest, TheErrorNamesTheRemedy) {
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_MEMLOCK, &old), 0);
  const rlimit small{2 * kMiB, old.rlim_max};  // the ring itself counts, too
  ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &small), 0);
  const Mapping memory = make_memory(16 * kMiB);
  std::string message;
  std::thread([&] {
    give_up_ipc_lock();
    auto loop = test::make_loop();
    const auto pinned = loop->pin_memory({{memory.data(), memory.size()}});
    if (!pinned) message = pinned.error().message();
  }).join();
  ::setrlimit(RLIMIT_MEMLOCK, &old);
  EXPECT_NE(message.find("cannot pin guest RAM for the io_uring: Cannot allocate memory (ENOMEM)"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("ulimit -l"), std::string::npos) << message;
}

}  // namespace
}  // namespace mote
