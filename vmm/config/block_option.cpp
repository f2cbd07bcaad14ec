// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/block_option.hpp"

#include <array>
#include <charconv>
#include <string>

#include "vmm/config/nearest.hpp"

namespace mote {
namespace {

constexpr std::array<std::string_view, 6> kKeys = {"id",     "read_only",  "root",
                                                   "queues", "queue_size", "cache"};

Error refused(std::string_view key, std::string_view value, const char* expected) {
  return Error::config(std::string(key) + " must be " + expected + ", not '" + std::string(value) +
                       "'");
}

Result<void> set_flag(std::string_view key, std::string_view value, bool& flag) {
  if (!value.empty() && value != "true" && value != "false") {
    return refused(key, value, "true or false");
  }
  flag = value != "false";
  return {};
}

Result<void> set_number(std::string_view key, std::string_view value, u32& number) {
  const char* const end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc{} || rest != end) return refused(key, value, "a whole number");
  return {};
}

Result<void> set_cache(std::string_view key, std::string_view value, BlockCache& cache) {
  if (value == "writeback") {
    cache = BlockCache::kWriteback;
  } else if (value == "unsafe") {
    cache = BlockCache::kUnsafe;
  } else if (value == "direct") {
    cache = BlockCache::kDirect;
  } else {
    return refused(key, value, "writeback, unsafe or direct");
  }
  return {};
}

Result<void> set(std::string_view key, std::string_view value, BlockConfig& block) {
  if (key == "id") {
    block.id = value;
    return {};
  }
  if (key == "read_only") return set_flag(key, value, block.read_only);
  if (key == "root") return set_flag(key, value, block.root);
  if (key == "queues") return set_number(key, value, block.queues);
  if (key == "queue_size") return set_number(key, value, block.queue_size);
  if (key == "cache") return set_cache(key, value, block.cache);
  return Error::config("unknown key '" + std::string(key) + "'" + did_you_mean(key, kKeys) +
                       " -- id, read_only, root, queues, queue_size and cache are known");
}

/// What stands before the first `mark`; `text` keeps what follows it.
std::string_view cut(std::string_view& text, char mark) {
  const std::size_t end = text.find(mark);
  const std::string_view front = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return front;
}

}  // namespace

Result<BlockConfig> parse_block_option(std::string_view text) {
  BlockConfig block;
  block.path = cut(text, ',');
  while (!text.empty()) {
    std::string_view value = cut(text, ',');
    const std::string_view key = cut(value, '=');
    TRY(set(key, value, block));
  }
  return block;
}

}  // namespace mote
