// SPDX-License-Identifier: Apache-2.0
// How failures travel, and in which words.
#include "core/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace mote {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return Error::config("cannot halve: " + std::to_string(value) + ": odd");
  return value / 2;
}

Result<int> quarter(int value) {
  return TRY(half(TRY(half(value))));
}

Result<void> require_even(int value, bool& passed) {
  TRY(half(value));
  passed = true;
  return {};
}

TEST(ErrorTest, NamesAttemptReasonErrnoAndRemedy) {
  const Error error = Error::from_errno(ENOENT, "cannot open 'x'", "name a file that exists");
  EXPECT_EQ(error.message(),
            "cannot open 'x': No such file or directory (ENOENT) -- name a file that exists");
  EXPECT_EQ(error.errno_value(), ENOENT);
  EXPECT_EQ(error.fault(), Fault::kHost);
}

TEST(ErrorTest, LeavesTheDashesOutWithoutARemedy) {
  EXPECT_EQ(Error::from_errno(EPERM, "cannot do it").message(),
            "cannot do it: Operation not permitted (EPERM)");
}

TEST(ErrorTest, SurvivesAnErrnoNobodyKnows) {
  EXPECT_EQ(Error::from_errno(99999, "cannot do it").message(),
            "cannot do it: unknown error (99999)");
}

TEST(ErrorTest, WithinPutsTheOuterViewFirstAndKeepsTheRest) {
  const Error error = Error::from_errno(EIO, "cannot read").within("loading the kernel");
  EXPECT_EQ(error.message(), "loading the kernel: cannot read: Input/output error (EIO)");
  EXPECT_EQ(error.errno_value(), EIO);
  EXPECT_EQ(error.fault(), Fault::kHost);
}

TEST(ErrorTest, KeepsWhoseFaultItIs) {
  EXPECT_EQ(Error::host("h").fault(), Fault::kHost);
  EXPECT_EQ(Error::config("c").fault(), Fault::kConfig);
  EXPECT_EQ(Error::image("i").within("outer").fault(), Fault::kImage);
}

TEST(ResultTest, TryGivesTheValue) {
  const auto result = quarter(12);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, 3);
}

TEST(ResultTest, TryLeavesWithTheErrorOfTheCallThatFailed) {
  const auto result = quarter(6);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message(), "cannot halve: 3: odd");
  EXPECT_EQ(result.error().fault(), Fault::kConfig);
}

TEST(ResultTest, TryWithoutAValueLeavesBeforeTheNextStatement) {
  bool passed = false;
  EXPECT_FALSE(require_even(3, passed).has_value());
  EXPECT_FALSE(passed);
  EXPECT_TRUE(require_even(4, passed).has_value());
  EXPECT_TRUE(passed);
}

TEST(ResultTest, CarriesWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  ASSERT_TRUE(result.has_value());
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

TEST(ResultDeathTest, TheValueOfAFailureIsABug) {
  Result<int> failed(Error::host("no value here"));
  EXPECT_DEATH(static_cast<void>(*failed), "value of a failed Result");
}

TEST(ResultDeathTest, TheValueOfAConstFailureIsABug) {
  const Result<std::string> failed(Error::host("no value here"));
  EXPECT_DEATH(static_cast<void>(failed->size()), "value of a failed Result");
}

TEST(ResultDeathTest, TheErrorOfASuccessIsABug) {
  const Result<int> fine(1);
  EXPECT_DEATH(static_cast<void>(fine.error().message().size()), "error of a successful Result");
}

}  // namespace
}  // namespace mote
