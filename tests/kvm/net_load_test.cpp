// SPDX-License-Identifier: Apache-2.0
// Guests under load: nothing is lost, limits are kept, floods stop nothing else.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>

#include "tests/kvm/net_guest.hpp"

namespace mote::test {
namespace {

class NetLoad : public NetTest {
 protected:
  Outcome bench(const std::string& words, const std::string& keys = {}) {
    return Process(arguments_for("net_bench", "guest0,mac=" + guest_mac_text() + keys, words))
        .finish(kPatience);
  }
  /// The same by a file, for what options cannot say.
  Outcome bench_by_file(const std::string& words, const std::string& lines,
                        const std::function<void()>& meanwhile = {}) {
    char path[] = "/tmp/mote-net-XXXXXX";
    const int fd = ::mkstemp(path);
    EXPECT_GE(fd, 0);
    ::close(fd);
    std::ofstream(path) << "[kernel]\npath = \"" << guest("net_bench") << "\"\ncmdline = \""
                        << words << "\"\n[[net]]\ntap = \"guest0\"\nmac = \"" << guest_mac_text()
                        << "\"\n"
                        << lines << "\n";
    Process process({"run", path});
    if (meanwhile) {
      EXPECT_TRUE(process.wait_for_output("ready")) << process.output() << process.errors();
      meanwhile();
    }
    const Outcome outcome = process.finish(kPatience);
    ::unlink(path);
    return outcome;
  }
};

TEST_F(NetLoad, AllThatIsSentComesOutOfTheTap) {
  const HostTap tap("guest0", {});
  for (const char* words : {"mode=tx seconds=1", "mode=tx seconds=1 size=1500 wait=irq",
                            "mode=tx seconds=1 size=1500 pieces=5 depth=32",
                            "mode=tx seconds=1 size=65535 gso=1448 depth=32",
                            "mode=tx seconds=1 event_index=0 wait=irq"}) {
    const std::uint64_t before = tap.statistic("rx_packets");
    const Outcome outcome = bench(words);
    expect_passes(outcome, 7);
    const double sent = result(outcome, "frames");
    EXPECT_GT(sent, 1000) << words << outcome.out;
    // Warm-up and end count as well.
    EXPECT_GE(static_cast<double>(tap.statistic("rx_packets") - before), sent) << words;
    EXPECT_EQ(tap.statistic("rx_errors"), 0U) << words;
  }
}

TEST_F(NetLoad, NothingThatTheTapTookIsLost) {
  constexpr int kFrames = 50'000;
  const HostTap tap("guest0", {.queue_length = 60'000});
  for (const char* words :
       {"mode=rx", "mode=rx wait=irq", "mode=rx mergeable=0 depth=64", "mode=rx buffer=64"}) {
    Process process(
        arguments_for("net_bench", "guest0,mac=" + guest_mac_text(),
                      std::string(words) + " seconds=20 frames=" + std::to_string(kFrames)));
    ASSERT_TRUE(process.wait_for_output("ready")) << process.output() << process.errors();
    const PacketSocket socket(tap);
    for (int i = 0; i < kFrames; ++i) {
      ASSERT_TRUE(socket.send(numbered_frame(guest_mac(), 60 + static_cast<std::uint32_t>(i) % 1400,
                                             static_cast<std::uint64_t>(i))));
    }
    const Outcome outcome = process.finish(kPatience);
    ASSERT_EQ(tap.statistic("tx_dropped"), 0U) << words;
    expect_passes(outcome, 8);
    EXPECT_EQ(result(outcome, "frames"), kFrames) << words << outcome.out;
    EXPECT_EQ(result(outcome, "lost"), 0) << words << outcome.out;
  }
}

TEST_F(NetLoad, RoundTripsComeBack) {
  const HostTap tap("guest0", {});
  const Reflector reflector(tap);
  for (const char* words : {"mode=rtt seconds=1", "mode=rtt seconds=1 wait=irq size=1500"}) {
    const Outcome outcome = bench(words);
    expect_passes(outcome, 7);
    EXPECT_GT(result(outcome, "frames"), 20) << outcome.out;
    EXPECT_EQ(result(outcome, "lost"), 0) << outcome.out;
  }
}

TEST_F(NetLoad, FramesComeBackFromABenchmarkThatReturnsThem) {
  const HostTap tap("guest0", {});
  Process process(arguments_for("net_bench", "guest0,mac=" + guest_mac_text(),
                                "mode=echo seconds=60 frames=2000 offloads=1"));
  ASSERT_TRUE(process.wait_for_output("ready")) << process.output() << process.errors();
  const PacketSocket socket(tap);
  for (std::uint64_t i = 0; i < 2'000; ++i) {
    const HostFrame frame =
        i % 50 == 49 ? tcp_frame(guest_mac(), 65'481, 1448)
                     : numbered_frame(guest_mac(), 60 + static_cast<std::uint32_t>(i % 1400), i);
    ASSERT_TRUE(socket.send(frame));
    const std::optional<HostFrame> answer = socket.receive(kAnswerMs);
    ASSERT_TRUE(answer.has_value()) << i;
    ASSERT_EQ(answer->bytes, swapped(frame.bytes)) << i;
  }
  expect_passes(process.finish(), 7);
}

/// A rate is at its limit: a bucket's content above it at the most; a busy host may keep it lower.
void expect_limit(const Outcome& outcome, const std::string& name, double limit) {
  EXPECT_LT(result(outcome, name), 1.15 * limit) << outcome.out;
  EXPECT_GT(result(outcome, name), 0.4 * limit) << outcome.out;
}

TEST_F(NetLoad, LimitsOfWhatTheGuestSendsAreKept) {
  const HostTap tap("guest0", {});
  Outcome outcome =
      bench_by_file("mode=tx seconds=2", "tx_frames = { size = 500, refill_ms = 100 }");
  expect_passes(outcome, 7);
  expect_limit(outcome, "frame_rate", 5000);
  outcome = bench_by_file("mode=tx seconds=2 size=1500 depth=64",
                          "tx_bandwidth = { size = \"1MiB\", refill_ms = 100 }");
  expect_passes(outcome, 7);
  expect_limit(outcome, "byte_rate", 10 << 20);
}

TEST_F(NetLoad, LimitsOfWhatTheGuestGetsAreKept) {
  const HostTap tap("guest0", {});
  const auto measure = [&](const char* lines) {
    std::optional<Flood> flood;
    return bench_by_file("mode=rx seconds=2 wait=irq", lines,
                         [&] { flood.emplace(tap, plain_frame(guest_mac(), 1000), 500); });
  };
  Outcome outcome = measure("rx_frames = { size = 200, refill_ms = 100 }");
  expect_passes(outcome, 8);
  expect_limit(outcome, "frame_rate", 2000);
  outcome = measure("rx_bandwidth = { size = \"100KiB\", refill_ms = 100 }");
  expect_passes(outcome, 8);
  expect_limit(outcome, "byte_rate", 1000 << 10);
}

TEST_F(NetLoad, AFloodThatNobodyReadsStopsNothingElse) {
  char image[] = "/tmp/mote-net-disk-XXXXXX";
  const int fd = ::mkstemp(image);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::ftruncate(fd, 1 << 20), 0);
  ::close(fd);
  const HostTap tap("guest0", {});
  const Reflector reflector(tap);
  Process process(
      arguments_for("net_flood", "guest0,mac=" + guest_mac_text(), "disk", {"--block", image}));
  EXPECT_TRUE(process.wait_for_output("deaf")) << process.output() << process.errors();
  Flood flood(tap, plain_frame(guest_mac(), 1000), 0);
  EXPECT_TRUE(process.wait_for_output("tick 20\n"));
  const double before = cpu_beside_the_vcpu(process.pid());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(process.wait_for_output("tick 80\n"));
  const double spent = cpu_beside_the_vcpu(process.pid()) - before;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(process.wait_for_output("quiet, please"));
  flood.stop();
  const Outcome outcome = process.finish();
  ::unlink(image);
  expect_passes(outcome, 5);
  EXPECT_GT(flood.sent(), 10'000U);
  EXPECT_LT(spent, 0.2 * took.count()) << "the monitor works for frames that nobody reads";
  EXPECT_LT(result(outcome, "slowest_read"), 3'000'000) << outcome.out;
  EXPECT_LT(result(outcome, "slowest_print"), 3'000'000) << outcome.out;
}

TEST_F(NetLoad, AFloodThatAGuestReadsDoesNotStopItsEnd) {
  const HostTap tap("guest0", {});
  Process process(arguments_for("net_echo", "guest0,mac=" + guest_mac_text(), "seconds=2"));
  process.close_input();
  ASSERT_TRUE(process.wait_for_output("ready"));
  const Flood flood(tap, plain_frame(guest_mac(), 60), 0);
  const Outcome outcome = process.finish();
  expect_passes(outcome, 6);
  EXPECT_GT(result(outcome, "returned"), 1000) << outcome.out;
}

TEST_F(NetLoad, ResetsUnderAFloodAreSurvived) {
  for (const int pairs : {1, 4}) {
    // Room for what comes while the host's processors are with others.
    const HostTap tap("guest0", {.is_multi_queue = pairs > 1, .queue_length = 20'000});
    const Reflector reflector(tap);
    const Flood flood(tap, plain_frame(std::string(6, '\xFF'), 1514), 1000);
    const std::string count = std::to_string(pairs);
    Process process(arguments_for("net_hostile_queues",
                                  "guest0,mac=" + guest_mac_text() + ",queues=" + count,
                                  "pairs=" + count));
    process.close_input();
    expect_passes(process.finish(kPatience), pairs > 1 ? 110 : 109);
  }
}

TEST_F(NetLoad, ASignalEndsAGuestUnderAFlood) {
  const HostTap tap("guest0", {});
  Process process(arguments_for("net_echo", "guest0,mac=" + guest_mac_text(), "wait=poll"));
  ASSERT_TRUE(process.wait_for_output("ready"));
  const Flood flood(tap, plain_frame(guest_mac(), 60), 0);
  ::usleep(100'000);
  process.signal(SIGTERM);
  const Outcome outcome = process.finish();
  EXPECT_EQ(outcome.exit_code, 128 + SIGTERM) << outcome.err;
}

}  // namespace
}  // namespace mote::test
