// SPDX-License-Identifier: Apache-2.0
// A disk in one word: what it takes, and the words for what it refuses.
#include "vmm/config/block_option.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

BlockConfig read(std::string_view text) {
  const auto block = parse_block_option(text);
  EXPECT_TRUE(block) << block.error().message();
  return block ? *block : BlockConfig{};
}

std::string refusal(std::string_view text) {
  const auto block = parse_block_option(text);
  if (!block) {
    EXPECT_EQ(block.error().fault(), Fault::kConfig);
  }
  return block ? "accepted" : block.error().message();
}

TEST(BlockOption, TakesAPathAlone) {
  EXPECT_EQ(read("disk.img"), (BlockConfig{.path = "disk.img"}));
  EXPECT_EQ(read("/dev/disk/by-id/a=b:c"), (BlockConfig{.path = "/dev/disk/by-id/a=b:c"}));
}

TEST(BlockOption, TakesEveryKey) {
  EXPECT_EQ(read("d,id=x,read_only=true,root,queues=3,queue_size=64,cache=direct,transport=pci"),
            (BlockConfig{.id = "x",
                         .path = "d",
                         .read_only = true,
                         .root = true,
                         .queues = 3,
                         .queue_size = 64,
                         .cache = BlockCache::kDirect,
                         .transport = Transport::kPci}));
  EXPECT_EQ(read("d,cache=unsafe").cache, BlockCache::kUnsafe);
  EXPECT_EQ(read("d,cache=direct,cache=writeback").cache, BlockCache::kWriteback);
}

TEST(BlockOption, TakesFlagsInThreeSpellings) {
  EXPECT_TRUE(read("d,read_only").read_only);
  EXPECT_TRUE(read("d,read_only=true").read_only);
  EXPECT_FALSE(read("d,read_only,read_only=false").read_only);
}

TEST(BlockOption, RefusesValuesOfAnotherKind) {
  EXPECT_EQ(refusal("d,root=yes"), "root must be true or false, not 'yes'");
  EXPECT_EQ(refusal("d,cache=none"), "cache must be writeback, unsafe or direct, not 'none'");
  EXPECT_EQ(refusal("d,transport"), "transport must be mmio or pci, not ''");
  for (const char* number : {"", "x", "1x", "-1", "99999999999"}) {
    EXPECT_EQ(refusal("d,queues=" + std::string(number)),
              "queues must be a whole number, not '" + std::string(number) + "'");
  }
}

TEST(BlockOption, RefusesUnknownKeys) {
  EXPECT_EQ(refusal("d,queue_sise=4"),
            "unknown key 'queue_sise'; did you mean 'queue_size'? -- id, read_only, root, queues, "
            "queue_size, cache and transport are known");
  EXPECT_NE(refusal("d,,root"), "accepted");
}

}  // namespace
}  // namespace mote
