// SPDX-License-Identifier: Apache-2.0
// What a guest was told is safe is in the file, at whatever moment Mote is killed.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

constexpr std::size_t kRecordSize = 4096;
constexpr int kTries = 25;  // of each way

/// The last number in the lines "record N"; 0 when there is none. A line that is not ended does
/// not count.
std::uint64_t last_record(const std::string& output) {
  const auto end = output.rfind('\n');
  if (end == std::string::npos) return 0;
  const auto line = output.rfind("record ", end);
  return line == std::string::npos ? 0 : std::strtoull(output.c_str() + line + 7, nullptr, 10);
}

/// The first of the records 1 to `count` that is not whole in the file; 0 when all are there.
std::uint64_t first_missing(int file, std::uint64_t count) {
  for (std::uint64_t record = 1; record <= count; ++record) {
    std::uint64_t words[kRecordSize / 8] = {};
    const auto at = static_cast<off_t>((record - 1) * kRecordSize);
    if (::pread(file, words, sizeof words, at) != sizeof words) return record;
    for (std::uint64_t i = 0; i < std::size(words); ++i) {
      if (words[i] != (record << 16 | i)) return record;
    }
  }
  return 0;
}

struct Way {
  const char* name;
  const char* disk;     // keys of --block
  const char* cmdline;  // words of the guest
};

class Kill : public KvmTest, public ::testing::WithParamInterface<Way> {};

TEST_P(Kill, WhatIsSafeIsInTheFile) {
  std::mt19937 random(std::random_device{}());
  std::uint64_t records = 0;
  for (int turn = 0; turn < kTries; ++turn) {
    char path[] = "/tmp/mote-kill-XXXXXX";
    const int file = ::mkstemp(path);
    ASSERT_GE(file, 0);
    ASSERT_EQ(::ftruncate(file, 64 << 20), 0);
    std::uint64_t count = 0;
    {
      Process mote({"run", "--kernel", guest("block_flush"), "--cmdline", GetParam().cmdline,
                    "--block", path + std::string(GetParam().disk)});
      ASSERT_TRUE(mote.wait_for_output("record ")) << mote.output() << mote.errors();
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
      mote.signal(SIGKILL);
      EXPECT_EQ(mote.finish().exit_code, 128 + SIGKILL);
      count = last_record(mote.output());
    }
    EXPECT_GE(count, 1U);
    EXPECT_EQ(first_missing(file, count), 0U) << "of " << count << ", turn " << turn;
    records += count;
    ::close(file);
    ::unlink(path);
  }
  RecordProperty("records", std::to_string(records));
  EXPECT_GE(records, 2U * kTries);  // else it was killed before there was anything to lose
}

INSTANTIATE_TEST_SUITE_P(
    Ways, Kill,
    ::testing::Values(Way{"flush", "", "how=flush"}, Way{"through", "", "how=through"},
                      Way{"direct_flush", ",cache=direct", "how=flush batch=16"},
                      Way{"direct_through", ",cache=direct", "how=through batch=16"}),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace mote::test
