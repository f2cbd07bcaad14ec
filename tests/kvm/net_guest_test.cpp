// SPDX-License-Identifier: Apache-2.0
// Guests that drive virtio-net: what they judge from the inside, and what the host sees of them at
// the tap. Each test has a network namespace of its own.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include "tests/kvm/net_host.hpp"

namespace mote::test {
namespace {

constexpr char kHost[] = "10.77.0.1";
constexpr char kGuest[] = "10.77.0.2";
constexpr std::uint16_t kEchoPort = 7;
constexpr int kAnswerMs = 10'000;  // for an answer that has to come
constexpr double kPatience = 120;  // seconds: guests that poll share the host's processors

std::string guest_mac_text() {
  return "02:00:00:00:00:02";
}
MacBytes guest_mac() {
  return {"\x02\0\0\0\0\x02", 6};
}
MacBytes everybody() {
  return std::string(6, '\xFF');
}

std::vector<std::string> arguments_for(const std::string& guest_name, const std::string& net,
                                       const std::string& words,
                                       const std::vector<std::string>& more = {}) {
  std::vector<std::string> all = {"run", "--kernel", guest(guest_name), "--cmdline", words};
  if (!net.empty()) all.insert(all.end(), {"--net", net});
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// CPU time of a process without its main thread, which is the first vCPU, in seconds.
double cpu_beside_the_vcpu(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  DIR* tasks = ::opendir(folder.c_str());
  if (tasks == nullptr) return -1;
  double total = 0;
  while (const dirent* task = ::readdir(tasks)) {
    if (task->d_name[0] == '.' || std::atoi(task->d_name) == pid) continue;
    std::ifstream file(folder + "/" + task->d_name + "/stat");
    std::string text;
    std::getline(file, text);
    // Behind the name in parentheses: state and 10 numbers, then user and system time in ticks.
    std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    total += (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  ::closedir(tasks);
  return total;
}

/// Sends the same frame again and again in a thread of its own.
class Flood {
 public:
  Flood(const HostTap& tap, HostFrame frame, int pause_us)
      : socket_(tap), frame_(std::move(frame)), thread_([this, pause_us] {
          while (!is_over_) {
            for (int i = 0; i < 32; ++i) sent_ += socket_.send(frame_);
            if (pause_us > 0) ::usleep(static_cast<useconds_t>(pause_us));
          }
        }) {}
  ~Flood() { stop(); }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  void stop() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::uint64_t sent() const { return sent_; }

 private:
  PacketSocket socket_;
  HostFrame frame_;
  std::atomic<bool> is_over_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  std::thread thread_;
};

constexpr std::uint16_t kExperimental = 0x88B5;

HostFrame plain_frame(const MacBytes& to, std::uint32_t size) {
  return {{}, ethernet(to, tester_mac(), kExperimental, std::string(size - 14, 'x'))};
}
HostFrame numbered_frame(const MacBytes& to, std::uint32_t size, std::uint64_t number) {
  HostFrame frame = plain_frame(to, size);
  std::memcpy(frame.bytes.data() + 14, &number, sizeof(number));
  return frame;
}

/// The answer of a guest that swaps a frame's addresses.
std::string swapped(const std::string& frame) {
  return frame.substr(6, 6) + frame.substr(0, 6) + frame.substr(12);
}

// What guests judge.

struct Setting {
  const char* label;
  int pairs;
  const char* keys;  // of the interface
  std::vector<std::string> arguments;
};

void PrintTo(const Setting& setting, std::ostream* out) {
  *out << setting.label;
}

class NetGuest : public NetTest, public ::testing::WithParamInterface<Setting> {
 protected:
  Outcome run(const std::string& name) {
    const Setting& setting = GetParam();
    const HostTap tap("guest0", {.is_multi_queue = setting.pairs > 1});
    const Reflector reflector(tap);
    const std::string net = "guest0,mac=" + guest_mac_text() + setting.keys +
                            ",queues=" + std::to_string(setting.pairs);
    const std::string words = "mac=" + guest_mac_text() +
                              " pairs=" + std::to_string(setting.pairs) +
                              (std::strstr(setting.keys, "mtu=1500") != nullptr ? " mtu=1500" : "");
    Process process(arguments_for(name, net, words, setting.arguments));
    process.close_input();
    return process.finish(kPatience);
  }
};

TEST_P(NetGuest, FeaturesOffloadsAndControl) {
  // Two checks of USO are for hosts that have it.
  const int pairs = GetParam().pairs;
  expect_passes(run("net_features"), 72 + (pairs > 1 ? 9 + 2 * pairs : 0));
}

TEST_P(NetGuest, FramesInAllShapes) {
  expect_passes(run("net_frames"), 25);
}

TEST_P(NetGuest, LiesAndBrokenChainsAreSurvived) {
  const Outcome outcome = run("net_hostile");
  expect_passes(outcome, 211);
  EXPECT_LT(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 60) << outcome.err;
}

TEST_P(NetGuest, BrokenCommandsAndQueuesAreSurvived) {
  const Outcome outcome = run("net_hostile_queues");
  expect_passes(outcome, GetParam().pairs > 1 ? 110 : 109);
  EXPECT_LT(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 60) << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(
    Kvm, NetGuest,
    ::testing::Values(
        Setting{"plain", 1, "", {}},
        Setting{"four_pairs_three_loops", 4, ",mtu=1500", {"--io-threads", "3", "--poll-us", "0"}},
        Setting{"eight_pairs", 8, ",id=lan", {"--memory", "256MiB"}},
        Setting{"small_queue", 1, ",queue_size=64", {}},
        Setting{"large_queue", 2, ",queue_size=1024", {}},
        Setting{"long_poll", 1, "", {"--poll-us", "1000"}}),
    [](const auto& test) { return test.param.label; });

// What the host sees of a guest that answers.

class NetEcho : public NetTest {
 protected:
  /// A guest that answers at kGuest, on a tap whose host is kHost.
  void start(const std::string& words = {}, const HostTap::Options& options = {},
             const std::string& keys = {}, const std::vector<std::string>& more = {}) {
    HostTap::Options own = options;
    own.address = kHost;
    tap_.emplace("guest0", own);
    process_.emplace(arguments_for("net_echo", "guest0,mac=" + guest_mac_text() + keys,
                                   std::string("address=") + kGuest + " " + words + " seconds=120",
                                   more));
    process_->close_input();
    ASSERT_TRUE(process_->wait_for_output("ready " + guest_mac_text()))
        << process_->output() << process_->errors();
  }
  /// Ends the guest; its word about what it saw.
  Outcome end() {
    UdpSocket(kGuest, kEchoPort).send("end");
    return process_->finish(kPatience);
  }
  void TearDown() override {
    process_.reset();
    tap_.reset();
    NetTest::TearDown();
  }

  std::optional<HostTap> tap_;
  std::optional<Process> process_;
};

/// Sends `count` datagrams of many sizes, at most 32 on their way, and compares what comes back, in
/// order.
void exchange(const UdpSocket& socket, int count) {
  const auto datagram = [](int number) {
    std::string data(8 + static_cast<std::size_t>(number) * 37 % 1465, '\0');
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = static_cast<char>(static_cast<std::size_t>(number) * 31 + i * 7);
    }
    std::memcpy(data.data(), &number, sizeof(number));
    return data;
  };
  int sent = 0;
  for (int received = 0; received < count; ++received) {
    for (; sent < count && sent - received < 32; ++sent) ASSERT_TRUE(socket.send(datagram(sent)));
    const std::optional<std::string> answer = socket.receive(kAnswerMs);
    ASSERT_TRUE(answer.has_value()) << "datagram " << received << " is lost";
    ASSERT_EQ(*answer, datagram(received)) << "datagram " << received;
  }
}

TEST_F(NetEcho, TenThousandDatagramsComeBack) {
  start();
  const UdpSocket socket(kGuest, kEchoPort);
  exchange(socket, 10'000);
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_EQ(result(outcome, "udp"), 10'000) << outcome.out;
  EXPECT_GT(result(outcome, "interrupts"), 0) << outcome.out;
}

TEST_F(NetEcho, TenThousandDatagramsComeBackToAPollingGuestWithoutFeatures) {
  start("wait=poll mergeable=0 offloads=0");
  const UdpSocket socket(kGuest, kEchoPort);
  exchange(socket, 10'000);
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_EQ(result(outcome, "interrupts"), 0) << outcome.out;
}

TEST_F(NetEcho, FlowsSpreadOverQueuePairs) {
  start("queues=4", {.is_multi_queue = true}, ",queues=4", {"--io-threads", "2"});
  std::vector<std::unique_ptr<UdpSocket>> flows;
  for (int i = 0; i < 16; ++i) flows.push_back(std::make_unique<UdpSocket>(kGuest, kEchoPort));
  for (const auto& flow : flows) exchange(*flow, 500);
  const Outcome outcome = end();
  expect_passes(outcome, 9);
  EXPECT_EQ(result(outcome, "udp"), 8'000) << outcome.out;
  int in_use = 0;
  for (const char* name : {"in_queue_0", "in_queue_1", "in_queue_2", "in_queue_3"}) {
    in_use += result(outcome, name) > 0;
  }
  EXPECT_GE(in_use, 2) << outcome.out;
}

TEST_F(NetEcho, FramesAboveTheMtuComeWhereTheGuestWasToldOfNone) {
  start("offloads=0", {.mtu = 9000});
  const UdpSocket socket(kGuest, kEchoPort);
  for (const std::size_t size : {1472U, 1473U, 2000U, 4096U, 8972U}) {
    EXPECT_TRUE(socket.echoes(std::string(size, 'm'), kAnswerMs)) << size;
  }
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_GE(result(outcome, "merged"), 3) << outcome.out;
}

// [Virtio 1.2 5.1.4.1]
TEST_F(NetEcho, FramesAboveTheMtuThatTheGuestWasToldDoNotCome) {
  start("offloads=0", {.mtu = 9000}, ",mtu=1500");
  const UdpSocket socket(kGuest, kEchoPort);
  for (const std::size_t size : {2000U, 8972U}) {
    EXPECT_FALSE(socket.echoes(std::string(size, 'm'), 50)) << size;
    EXPECT_TRUE(socket.echoes(std::string(1472, 'm'), kAnswerMs)) << size;
  }
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_EQ(result(outcome, "udp"), 2) << outcome.out;
}

TEST_F(NetEcho, FramesThatDoNotFitAreDroppedAndOthersAreNot) {
  start("offloads=0 mergeable=0 buffer=1526", {.mtu = 9000});
  const UdpSocket socket(kGuest, kEchoPort);
  for (int round = 0; round < 5; ++round) {
    EXPECT_TRUE(socket.echoes(std::string(1472, 'f'))) << round;
    EXPECT_FALSE(socket.echoes(std::string(1473, 'l'), 50)) << round;
    EXPECT_FALSE(socket.echoes(std::string(8000, 'l'), 50)) << round;
  }
  EXPECT_TRUE(socket.echoes("small"));
  expect_passes(end(), 6);
}

TEST_F(NetEcho, RuntsPass) {
  start("offloads=0");
  const PacketSocket socket(*tap_);
  for (std::uint32_t size = 14; size < 60; ++size) {
    const HostFrame frame = plain_frame(guest_mac(), size);
    ASSERT_TRUE(socket.send(frame)) << size << ": " << std::strerror(errno);
    const std::optional<HostFrame> answer = socket.receive(kAnswerMs);
    ASSERT_TRUE(answer.has_value()) << size;
    EXPECT_EQ(answer->bytes, swapped(frame.bytes)) << size;
  }
  expect_passes(end(), 6);
}

TEST_F(NetEcho, LargeSegmentsPassUncutBothWays) {
  start();
  const PacketSocket socket(*tap_);
  for (const std::uint32_t size : {2000U, 30'000U, 65'481U}) {
    const HostFrame frame = tcp_frame(guest_mac(), size, 1448);
    for (int round = 0; round < 20; ++round) {
      ASSERT_TRUE(socket.send(frame)) << std::strerror(errno);
      const std::optional<HostFrame> answer = socket.receive(kAnswerMs);
      ASSERT_TRUE(answer.has_value()) << size;
      EXPECT_EQ(answer->bytes, swapped(frame.bytes)) << size;
      EXPECT_EQ(answer->header.gso_type, kGsoTcp4);
      EXPECT_EQ(answer->header.gso_size, 1448);
      EXPECT_EQ(answer->header.flags & kNeedsChecksum, kNeedsChecksum);
    }
  }
  const Outcome outcome = end();
  expect_passes(outcome, 6);
  EXPECT_EQ(result(outcome, "large"), 60) << outcome.out;
  EXPECT_GE(result(outcome, "merged"), 40) << outcome.out;
}

TEST_F(NetEcho, LargeSegmentsAreCutForAGuestThatTakesNone) {
  start("offloads=0");
  const PacketSocket socket(*tap_);
  constexpr std::uint32_t kSize = 60'000;
  ASSERT_TRUE(socket.send(tcp_frame(guest_mac(), kSize, 1448)));
  std::uint32_t bytes = 0;
  while (bytes < kSize) {
    const std::optional<HostFrame> answer = socket.receive(kAnswerMs);
    ASSERT_TRUE(answer.has_value()) << bytes;
    ASSERT_LE(answer->bytes.size(), 1514U);
    bytes += static_cast<std::uint32_t>(answer->bytes.size()) - 54;
  }
  EXPECT_EQ(bytes, kSize);
  const Outcome outcome = end();
  expect_passes(outcome, 6);  // among them: no checksum was left to do
  EXPECT_EQ(result(outcome, "large"), 0) << outcome.out;
}

TEST_F(NetEcho, ATapThatIsDownLosesFramesAndComesBack) {
  start();
  const UdpSocket socket(kGuest, kEchoPort);
  exchange(socket, 100);
  for (int round = 0; round < 3; ++round) {
    tap_->set_up(false);
    EXPECT_FALSE(socket.send("lost") && socket.receive(20).has_value());
    tap_->set_up(true);
    const UdpSocket again(kGuest, kEchoPort);
    ASSERT_TRUE(again.echoes("back", kAnswerMs)) << round << process_->errors();
  }
  exchange(UdpSocket(kGuest, kEchoPort), 100);
  expect_passes(end(), 6);
}

TEST_F(NetEcho, ATapThatIsDeletedTakesOnlyTheNetworkAway) {
  start("seconds=3");
  exchange(UdpSocket(kGuest, kEchoPort), 100);
  tap_->remove();
  const double before = cpu_beside_the_vcpu(process_->pid());
  ::usleep(500'000);
  const double spent = cpu_beside_the_vcpu(process_->pid()) - before;
  EXPECT_LT(spent, 0.15) << "of 0.5 s";
  const Outcome outcome = process_->finish();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("DONE"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.err.find("guest0"), std::string::npos) << outcome.err;
  EXPECT_LT(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 20) << outcome.err;
}

TEST_F(NetEcho, TwoInterfacesAreTwo) {
  const HostTap first("guest0", {.address = kHost});
  const HostTap second("guest1", {.address = "10.78.0.1"});
  const char* macs[] = {"02:00:00:00:00:02", "02:00:00:00:00:03"};
  const char* addresses[] = {kGuest, "10.78.0.2"};
  for (const int index : {0, 1}) {
    const std::string words =
        "net=" + std::to_string(index) + " address=" + std::string(addresses[index]);
    Process process(arguments_for("net_echo", std::string("guest0,mac=") + macs[0], words,
                                  {"--net", std::string("guest1,mac=") + macs[1]}));
    process.close_input();
    ASSERT_TRUE(process.wait_for_output(std::string("ready ") + macs[index]))
        << process.output() << process.errors();
    const HostTap& other = index == 0 ? second : first;
    const std::uint64_t before = other.statistic("rx_packets");
    exchange(UdpSocket(addresses[index], kEchoPort), 500);
    EXPECT_EQ(other.statistic("rx_packets"), before);
    UdpSocket(addresses[index], kEchoPort).send("end");
    expect_passes(process.finish(), 6);
  }
}

// Load and limits.

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

// Networks that are not kind.

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
    const HostTap tap("guest0", {.is_multi_queue = pairs > 1});
    const Reflector reflector(tap);
    const Flood flood(tap, plain_frame(everybody(), 1514), 1000);
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
