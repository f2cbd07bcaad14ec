// SPDX-License-Identifier: Apache-2.0
// A sink of messages that remembers, and short words for the configuration space of a function.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/bus.hpp"
#include "core/check.hpp"
#include "devices/pci/function.hpp"

namespace mote::test {

struct FakeSink final : pci::MessageSink {
  void set_message(u32 vector, const std::optional<MsiMessage>& message) override {
    CHECK(messages[vector] != message, "a sink is told of changes only");
    messages[vector] = message;
    ++changes;
  }
  void send(u32 vector) override { sent.push_back(vector); }

  std::map<u32, std::optional<MsiMessage>> messages;
  u32 changes = 0;
  std::vector<u32> sent;
};

inline u32 read_config(pci::Function& function, u32 offset, std::size_t width) {
  std::byte bytes[4] = {};
  const std::span data(bytes, width);
  function.read_config(offset, data);
  return static_cast<u32>(load_le(data));
}
inline void write_config(pci::Function& function, u32 offset, std::size_t width, u32 value) {
  std::byte bytes[4] = {};
  const std::span data(bytes, width);
  store_le(data, value);
  function.write_config(offset, data);
}

/// Where the first capability `id` lies from `from` on, which is a pointer's place; 0: there is
/// none.
inline u32 find_capability(pci::Function& function, u8 id, u32 from = 0x34) {
  for (u32 offset = read_config(function, from, 1); offset != 0;
       offset = read_config(function, offset + 1, 1)) {
    if (read_config(function, offset, 1) == id) return offset;
  }
  return 0;
}

}  // namespace mote::test
