// SPDX-License-Identifier: Apache-2.0
// Limits in one word: what it takes, and the words for what it refuses.
#include "vmm/config/limit_option.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

LimitsConfig read(std::string_view text) {
  LimitsConfig limits;
  const auto done = parse_limit_option(text, limits);
  EXPECT_TRUE(done) << done.error().message();
  return limits;
}

std::string refusal(std::string_view text) {
  LimitsConfig limits;
  const auto done = parse_limit_option(text, limits);
  if (!done) {
    EXPECT_EQ(done.error().fault(), Fault::kConfig);
  }
  return done ? "accepted" : done.error().message();
}

TEST(LimitOption, TakesEveryKey) {
  EXPECT_EQ(
      read("cpu=1.5,cpu_weight=50,memory=256MiB,pids=32,read_bandwidth=1MiB,"
           "write_bandwidth=2MiB,read_operations=100,write_operations=200,parent=/vms,group=a"),
      (LimitsConfig{.cpu = 1500,
                    .cpu_weight = 50,
                    .memory_bytes = 256 * kMiB,
                    .pids = 32,
                    .read_bandwidth = kMiB,
                    .write_bandwidth = 2 * kMiB,
                    .read_operations = 100,
                    .write_operations = 200,
                    .parent = "/vms",
                    .group = "a"}));
  EXPECT_EQ(read(""), LimitsConfig{});
}

TEST(LimitOption, ALaterOneWins) {
  LimitsConfig limits;
  ASSERT_TRUE(parse_limit_option("pids=20,memory=1GiB", limits));
  ASSERT_TRUE(parse_limit_option("pids=30", limits));
  EXPECT_EQ(limits.pids, 30u);
  EXPECT_EQ(limits.memory_bytes, kGiB);
}

TEST(LimitOption, ReadsNumbersOfCpus) {
  const std::pair<const char*, u32> numbers[] = {{"1", 1000},      {"1.5", 1500}, {"0.01", 10},
                                                 {"0.125", 125},   {"2.0", 2000}, {"0", 0},
                                                 {"1000", 1000000}};
  for (const auto& [text, thousandths] : numbers) {
    const auto cpus = parse_cpus(text);
    ASSERT_TRUE(cpus) << text;
    EXPECT_EQ(*cpus, thousandths) << text;
    EXPECT_EQ(*parse_cpus(print_cpus(thousandths)), thousandths);
  }
  EXPECT_EQ(print_cpus(1500), "1.5");
  EXPECT_EQ(print_cpus(10), "0.01");
  EXPECT_EQ(print_cpus(2000), "2");
}

TEST(LimitOption, RefusesWhatIsNoNumberOfCpus) {
  for (const char* text : {"", ".", "1.", ".5", "-1", "+1", "1.2345", "1,5", "50%", "1e3", "1.-5",
                           "9999999", "1.5.5"}) {
    const auto cpus = parse_cpus(text);
    ASSERT_FALSE(cpus) << text;
    EXPECT_EQ(cpus.error().message(),
              "cpu must be a number of CPUs with up to three decimals, as in 1.5, not '" +
                  std::string(text) + "'");
  }
}

TEST(LimitOption, RefusesOtherValuesOfTheWrongKind) {
  EXPECT_EQ(refusal("pids=many"), "pids must be a whole number, not 'many'");
  EXPECT_EQ(refusal("pids"), "pids must be a whole number, not ''");
  EXPECT_EQ(refusal("memory=256"),
            "'256' is no size: the unit is missing -- write a whole number and KiB, MiB, GiB or "
            "TiB, as in 128MiB");
  EXPECT_EQ(refusal("memry=1MiB"),
            "unknown key 'memry'; did you mean 'memory'? -- the keys are those of [limits]: cpu, "
            "cpu_weight, memory, pids, read_bandwidth, write_bandwidth, read_operations, "
            "write_operations, parent and group");
}

}  // namespace
}  // namespace mote
