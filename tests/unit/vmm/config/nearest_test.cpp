// SPDX-License-Identifier: Apache-2.0
// Behaviour of the search for what a mistyped word meant.
#include "vmm/config/nearest.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

constexpr std::string_view kWords[] = {"kernel", "machine", "serial", "timeline"};

TEST(Nearest, FindsAReplacedLetter) {
  EXPECT_EQ(nearest("kernal", kWords), "kernel");
}

TEST(Nearest, FindsAMissingLetter) {
  EXPECT_EQ(nearest("machne", kWords), "machine");
}

TEST(Nearest, FindsALetterTooMuch) {
  EXPECT_EQ(nearest("serriall", kWords), "serial");
}

TEST(Nearest, CountsSwappedNeighboursOnce) {
  constexpr std::string_view kClose[] = {"acpi", "apic"};
  EXPECT_EQ(nearest("acip", kClose), "acpi");
}

TEST(Nearest, AllowsAThirdOfALongWord) {
  EXPECT_EQ(nearest("timelinxyz", kWords), "timeline");
}

TEST(Nearest, KeepsQuietAboutOtherWords) {
  EXPECT_EQ(nearest("network", kWords), "");
}

TEST(Nearest, DoesNotReplaceAllOfAShortWord) {
  constexpr std::string_view kShort[] = {"xy"};
  EXPECT_EQ(nearest("ab", kShort), "");
}

TEST(Nearest, TakesTheFirstOfEquallyNearWords) {
  constexpr std::string_view kSame[] = {"path2", "path1"};
  EXPECT_EQ(nearest("path", kSame), "path2");
}

TEST(Nearest, HasNoAnswerForNothingOrForAnEndlessWord) {
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest(std::string(100'000, 'k'), kWords), "");
}

TEST(DidYouMean, AsksOnlyWhenAWordIsNear) {
  EXPECT_EQ(did_you_mean("kernl", kWords), "; did you mean 'kernel'?");
  EXPECT_EQ(did_you_mean("network", kWords), "");
}

}  // namespace
}  // namespace mote
