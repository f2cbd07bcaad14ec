// SPDX-License-Identifier: Apache-2.0
// Guests that test the machine from the inside: each prints PASS or FAIL lines, then DONE, and
// powers off.
#include <algorithm>
#include <sstream>

#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

struct SelfTest {
  const char* label;
  const char* guest;
  std::vector<std::string> arguments;
  std::string input;
  int passes;  // how many PASS lines at the least
};

class SelfTestingGuest : public KvmTest, public ::testing::WithParamInterface<SelfTest> {};

TEST_P(SelfTestingGuest, Passes) {
  const SelfTest& test = GetParam();
  const Outcome outcome = run_guest(test.guest, test.arguments, test.input);
  std::istringstream lines(outcome.out);
  int passes = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("PASS ")) ++passes;
    EXPECT_FALSE(line.starts_with("FAIL")) << line;
  }
  EXPECT_GE(passes, test.passes) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("DONE"), std::string::npos) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(
    Kvm, SelfTestingGuest,
    ::testing::Values(
        SelfTest{"exceptions", "exception", {}, "", 9},
        SelfTest{"memory", "memory", {"--memory", "128MiB", "--cmdline", "expect=133823488"}, "", 3},
        SelfTest{"memory_above_the_hole", "memory", {"--memory", "5GiB"}, "", 2},
        SelfTest{"memory_of_8_mib", "memory", {"--memory", "8MiB"}, "", 2},
        SelfTest{"command_line", "cmdline", {"--cmdline", "a=b c -- program words"}, "", 0},
        SelfTest{"unclaimed", "unclaimed", {}, "", 1},
        SelfTest{"serial_interrupts", "serial_irq", {"--cmdline", "input=5"}, "hello", 3},
        SelfTest{"io_apic", "ioapic", {}, "", 3},
        SelfTest{"pic", "pic", {}, "", 3},
        SelfTest{"pit", "pit", {}, "", 3},
        SelfTest{"rtc", "rtc", {}, "", 3},
        SelfTest{"timers", "timer", {}, "", 3},
        SelfTest{"acpi", "acpi", {}, "", 3},
        SelfTest{"acpi_with_32_vcpus", "acpi", {"--vcpus", "32"}, "", 3},
        SelfTest{"acpi_without_legacy", "acpi", {"--no-legacy"}, "", 3},
        SelfTest{"smp_1", "smp", {"--vcpus", "1"}, "", 1},
        SelfTest{"smp_2", "smp", {"--vcpus", "2"}, "", 5},
        SelfTest{"smp_4", "smp", {"--vcpus", "4"}, "", 5},
        SelfTest{"smp_32", "smp", {"--vcpus", "32"}, "", 5}),
    [](const auto& test) { return test.param.label; });

}  // namespace
}  // namespace mote::test
