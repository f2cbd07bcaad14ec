// SPDX-License-Identifier: Apache-2.0
// Who unmaps a mapping, and what a refused one says.
#include "core/mapping.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace mote {
namespace {

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

Result<Mapping> map(std::size_t size) {
  return Mapping::create(size, PROT_READ | PROT_WRITE, kAnonymous, -1, 0, "a test's pages");
}

/// msync refuses addresses that are not mapped.
bool is_mapped(std::byte* page) {
  return ::msync(page, kPageSize, MS_ASYNC) == 0;
}

TEST(MappingTest, UnmapsAtTheEndOfItsLife) {
  std::byte* base = nullptr;
  {
    auto mapping = map(2 * kPageSize);
    ASSERT_TRUE(mapping.has_value());
    base = mapping->data();
    EXPECT_EQ(mapping->size(), 2 * kPageSize);
    EXPECT_TRUE(is_mapped(base + kPageSize));
  }
  EXPECT_FALSE(is_mapped(base));
  EXPECT_FALSE(is_mapped(base + kPageSize));
}

TEST(MappingTest, MovingHandsItOver) {
  Mapping kept;
  std::byte* base = nullptr;
  {
    auto mapping = map(kPageSize);
    ASSERT_TRUE(mapping.has_value());
    base = mapping->data();
    kept = *std::move(mapping);
  }
  EXPECT_EQ(kept.data(), base);
  EXPECT_EQ(kept.bytes().size(), kPageSize);
  EXPECT_TRUE(is_mapped(base));
}

TEST(MappingTest, SaysWhatCouldNotBeMapped) {
  const auto mapping = map(0);
  ASSERT_FALSE(mapping.has_value());
  EXPECT_EQ(mapping.error().message(), "cannot map a test's pages: Invalid argument (EINVAL)");
}

}  // namespace
}  // namespace mote
