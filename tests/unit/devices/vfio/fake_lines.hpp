// SPDX-License-Identifier: Apache-2.0
// Lines of interrupts that lead nowhere.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/check.hpp"
#include "devices/vfio/interrupts.hpp"

namespace mote::test {

/// Lines that remember what they were told, and are told of changes only.
class FakeLines final : public vfio::TriggerLines {
 public:
  int fd(u32 vector) const override { return 100 + static_cast<int>(vector); }
  void set_delivering(u32 vector, bool delivering) override {
    CHECK(delivers[vector] != delivering, "told of changes only");
    delivers[vector] = delivering;
    began_with[vector] = messages[vector];
    ++changes;
  }
  bool take_kept(u32 vector) override { return std::exchange(kept[vector], false); }
  void set_message(u32 vector, const std::optional<MsiMessage>& message) override {
    CHECK(messages[vector] != message, "told of changes only");
    messages[vector] = message;
    ++message_changes;
  }
  void send(u32 vector) override { sent.push_back(vector); }

  std::map<u32, bool> delivers;
  std::map<u32, bool> kept;
  std::map<u32, std::optional<MsiMessage>> messages;
  /// What was to be sent when it last began or ended to deliver.
  std::map<u32, std::optional<MsiMessage>> began_with;
  std::vector<u32> sent;
  u32 changes = 0;  ///< of delivers
  u32 message_changes = 0;
};

}  // namespace mote::test
