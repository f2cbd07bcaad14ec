// SPDX-License-Identifier: Apache-2.0
// Guests that drive virtio-net and judge it from the inside.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "tests/kvm/net_guest.hpp"

namespace mote::test {
namespace {

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
  /// A device says at most five lines a second of what a guest does to it.
  void expect_few_lines(const Outcome& outcome) const {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
    EXPECT_LT(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 20 + 5 * took.count())
        << outcome.err;
  }

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

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

TEST_P(NetGuest, FeaturesAndControl) {
  const int pairs = GetParam().pairs;
  expect_passes(run("net_features"), 47 + (pairs > 1 ? 9 + 2 * pairs : 0));
}

TEST_P(NetGuest, ChecksumsAndSegmentsOfBothVersionsOfIp) {
  // Five checks of USO are for hosts that have it.
  expect_passes(run("net_offloads"), 40);
}

TEST_P(NetGuest, FramesInAllShapes) {
  expect_passes(run("net_frames"), 25);
}

TEST_P(NetGuest, LiesAndBrokenChainsAreSurvived) {
  const Outcome outcome = run("net_hostile");
  expect_passes(outcome, 211);
  expect_few_lines(outcome);
}

TEST_P(NetGuest, BrokenCommandsAndQueuesAreSurvived) {
  const Outcome outcome = run("net_hostile_queues");
  expect_passes(outcome, GetParam().pairs > 1 ? 110 : 109);
  expect_few_lines(outcome);
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

}  // namespace
}  // namespace mote::test
