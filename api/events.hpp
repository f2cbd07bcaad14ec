// SPDX-License-Identifier: Apache-2.0
// The life of a VM as server-sent events [WHATWG HTML 9.2]: what happened is kept for those who
// come later, up to a limit.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

#include "api/http/server.hpp"

namespace mote::api {

class EventLog final : public http::StreamSource {
 public:
  /// Older ones are forgotten.
  static constexpr std::size_t kCapacity = 64;

  /// Who reads is woken by `server`, which has to live as long as something is published.
  void attach(http::Server& server) { server_ = &server; }

  /// "configured", "started", "paused", "resumed", "stopped", "crashed". `members` are members of
  /// the event's object as JSON ("\"reason\":\"...\""), or empty. Any thread.
  void publish(std::string_view name, std::string_view members = {});

  /// The text of all events behind number `cursor`. Any thread.
  std::string read(u64& cursor) override;

 private:
  std::mutex lock_;
  std::deque<std::string> events_;  // guarded by lock_
  u64 count_ = 0;                   // of all there ever were; guarded by lock_
  std::atomic<http::Server*> server_{nullptr};
};

}  // namespace mote::api
