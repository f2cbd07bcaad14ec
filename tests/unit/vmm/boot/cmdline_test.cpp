// SPDX-License-Identifier: Apache-2.0
// Behaviour of the command line's composition.
#include "vmm/boot/cmdline.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "vmm/config/vm_config.hpp"

namespace mote {
namespace {

std::string build(std::string_view user, const std::vector<std::string>& added = {}) {
  const auto line = build_cmdline(user, added);
  return line ? *line : line.error().message();
}

const std::vector<std::string> kDevice{"virtio_mmio.device=4K@0xd0000000:5"};

TEST(Cmdline, PassesTheUsersTextOn) {
  EXPECT_EQ(build("console=ttyS0  quiet"), "console=ttyS0  quiet");
}

TEST(Cmdline, MayBeEmpty) {
  EXPECT_EQ(build(""), "");
}

TEST(Cmdline, AppendsWords) {
  EXPECT_EQ(build("quiet", {"a=1", "b"}), "quiet a=1 b");
}

TEST(Cmdline, IsAllAddedWithoutAUsersText) {
  EXPECT_EQ(build("", {"a=1", "b"}), "a=1 b");
}

TEST(Cmdline, PutsWordsInFrontOfTheSeparator) {
  EXPECT_EQ(build("app -- -v", kDevice), "app virtio_mmio.device=4K@0xd0000000:5 -- -v");
}

TEST(Cmdline, KnowsASeparatorAtTheBeginning) {
  EXPECT_EQ(build("-- -v", {"a"}), "a -- -v");
}

TEST(Cmdline, KnowsASeparatorAtTheEnd) {
  EXPECT_EQ(build("quiet --", {"a"}), "quiet a --");
}

TEST(Cmdline, TakesTheFirstSeparator) {
  EXPECT_EQ(build("x -- y -- z", {"a"}), "x a -- y -- z");
}

TEST(Cmdline, LeavesSeparatorsAloneWithoutAddedWords) {
  EXPECT_EQ(build("--"), "--");
}

TEST(Cmdline, KnowsNoSeparatorWithinAWord) {
  EXPECT_EQ(build("a--b --c d--", {"x"}), "a--b --c d-- x");
}

TEST(Cmdline, KnowsNoSeparatorWithinQuotes) {
  EXPECT_EQ(build("a=\"b -- c\" d", {"x"}), "a=\"b -- c\" d x");
}

TEST(Cmdline, PassesBytesAbove127On) {
  EXPECT_EQ(build("name=\xc3\xa4"), "name=\xc3\xa4");
}

TEST(Cmdline, RefusesNul) {
  EXPECT_EQ(build(std::string_view("a\0b", 3)),
            "kernel command line: byte 1 is the control character 0x00 -- separate words by "
            "blanks, on one line");
}

TEST(Cmdline, RefusesNewlines) {
  EXPECT_EQ(build("quiet\n"),
            "kernel command line: byte 5 is the control character 0x0a -- separate words by "
            "blanks, on one line");
}

TEST(Cmdline, RefusesDelete) {
  EXPECT_EQ(build("\x7f"),
            "kernel command line: byte 0 is the control character 0x7f -- separate words by "
            "blanks, on one line");
}

TEST(Cmdline, RefusesControlCharactersInAddedWords) {
  EXPECT_EQ(build("a", {"b\t"}),
            "kernel command line: byte 1 is the control character 0x09 -- separate words by "
            "blanks, on one line");
}

TEST(Cmdline, MayHave2048Bytes) {
  EXPECT_EQ(build(std::string(kMaxCmdline - 2, 'x'), {"y"}).size(), kMaxCmdline);
}

TEST(Cmdline, RefusesMoreThan2048Bytes) {
  EXPECT_EQ(build(std::string(kMaxCmdline - 1, 'x'), {"y"}),
            "kernel command line: 2049 bytes with the 2 that the monitor adds, but at most 2048 "
            "are passed on -- shorten it");
}

TEST(Cmdline, BlamesTheConfiguration) {
  const auto line = build_cmdline("\n", {});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().fault(), Fault::kConfig);
}

TEST(HasWord, FindsWholeWordsOfTheKernels) {
  EXPECT_TRUE(has_word("acpi=off", "acpi=off"));
  EXPECT_TRUE(has_word("quiet  acpi=off panic=1", "acpi=off"));
  EXPECT_TRUE(has_word("a acpi=off -- b", "acpi=off"));
  for (const char* line : {"", "acpi=offline", "noacpi=off", "acpi=of", "a -- acpi=off",
                           "x=\"a acpi=off b\"", "-- acpi=off"}) {
    EXPECT_FALSE(has_word(line, "acpi=off")) << line;
  }
}

}  // namespace
}  // namespace mote
