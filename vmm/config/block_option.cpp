// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/block_option.hpp"

#include <array>
#include <string>

#include "vmm/config/nearest.hpp"
#include "vmm/config/option_words.hpp"

namespace mote {
namespace {

constexpr std::array<std::string_view, 7> kKeys = {"id",         "read_only", "root",     "queues",
                                                   "queue_size", "cache",     "transport"};

Result<void> set_flag(std::string_view key, std::string_view value, bool& flag) {
  if (!value.empty() && value != "true" && value != "false") {
    return refused_value(key, value, "true or false");
  }
  flag = value != "false";
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
    return refused_value(key, value, "writeback, unsafe or direct");
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
  if (key == "queues") return set_option_number(key, value, block.queues);
  if (key == "queue_size") return set_option_number(key, value, block.queue_size);
  if (key == "cache") return set_cache(key, value, block.cache);
  if (key == "transport") {
    block.transport = TRY(parse_transport(value));
    return {};
  }
  return Error::config(
      "unknown key '" + std::string(key) + "'" + did_you_mean(key, kKeys) +
      " -- id, read_only, root, queues, queue_size, cache and transport are known");
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
