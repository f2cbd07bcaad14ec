// SPDX-License-Identifier: Apache-2.0
// Guests that test the machine from the inside: each prints PASS or FAIL lines, then DONE, and
// powers off.
#include <unistd.h>

#include <cstdlib>

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
  expect_passes(run_guest(test.guest, test.arguments, test.input), test.passes);
}

INSTANTIATE_TEST_SUITE_P(
    Kvm, SelfTestingGuest,
    ::testing::Values(
        SelfTest{"exceptions", "exception", {}, "", 9},
        SelfTest{"unclaimed", "unclaimed", {}, "", 11},
        SelfTest{"memory", "memory", {"--cmdline", "expect=128M"}, "", 3},
        SelfTest{"memory_above_the_hole",
                 "memory",
                 {"--memory", "5GiB", "--cmdline", "expect=5G"},
                 "",
                 3},
        SelfTest{"memory_of_1_mib", "memory_low", {"--memory", "1MiB"}, "", 2},
        SelfTest{"memory_by_linux64", "memory_linux64", {"--cmdline", "expect=128M"}, "", 3},
        SelfTest{"memory_by_bzimage", "memory_bzimage.bin", {"--cmdline", "expect=128M"}, "", 3},
        SelfTest{"serial_interrupts", "serial_irq", {"--cmdline", "input=5"}, "hello", 3},
        SelfTest{"io_apic_1", "ioapic", {}, "", 16},
        SelfTest{"io_apic_2", "ioapic", {"--vcpus", "2"}, "", 17},
        SelfTest{"keyboard", "keyboard", {}, "", 3}, SelfTest{"pic", "pic", {}, "", 10},
        SelfTest{"pit", "pit", {}, "", 11}, SelfTest{"rtc", "rtc", {}, "", 11},
        SelfTest{"timers", "timer", {}, "", 8}, SelfTest{"acpi", "acpi", {}, "", 16},
        SelfTest{"acpi_32", "acpi", {"--vcpus", "32"}, "", 16},
        SelfTest{"acpi_without_legacy", "acpi", {"--no-legacy"}, "", 16},
        SelfTest{"smp_1", "smp", {"--vcpus", "1"}, "", 3},
        SelfTest{"smp_2", "smp", {"--vcpus", "2"}, "", 5},
        SelfTest{"smp_4", "smp", {"--vcpus", "4"}, "", 5},
        SelfTest{"smp_32", "smp", {"--vcpus", "32"}, "", 5},
        SelfTest{"smp_32_by_mp_table", "smp", {"--vcpus", "32", "--no-acpi"}, "", 4}),
    [](const auto& test) { return test.param.label; });

/// What the cmdline guest prints of itself, by each way in.
class WayIn : public KvmTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(WayIn, HandsOverCommandLineAndInitrd) {
  char initrd[] = "/tmp/mote-test-XXXXXX";
  const int fd = ::mkstemp(initrd);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::write(fd, "\x01\x02\x03", 3), 3);
  ::close(fd);
  const Outcome outcome = run_guest(GetParam(), {"--cmdline", "a=1 b -- c d", "--initrd", initrd});
  ::unlink(initrd);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("line a=1 b -- c d\n"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find(" size 3 sum 6\n"), std::string::npos) << outcome.out;
}

INSTANTIATE_TEST_SUITE_P(Kvm, WayIn,
                         ::testing::Values("cmdline", "cmdline_linux64", "cmdline_bzimage.bin"),
                         [](const auto& test) {
                           const std::string name = test.param;
                           return name.substr(0, name.find('.'));
                         });

using Refusal = KvmTest;

TEST_F(Refusal, OfAnImageNamesFileAndFieldAndIs3) {
  const Outcome outcome = run_guest("memory", {"--memory", "1MiB"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_NE(outcome.err.find("memory.elf"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("program header"), std::string::npos) << outcome.err;
}

TEST_F(Refusal, WithoutLegacyDevicesTheirPortsReadAllOnes) {
  // The guest's tests fail, bounded in time, instead of hanging.
  const Outcome outcome = run_guest("pit", {"--no-legacy"});
  EXPECT_NE(outcome.out.find("FAIL"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("DONE"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace mote::test
