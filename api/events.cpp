// SPDX-License-Identifier: Apache-2.0
#include "api/events.hpp"

#include <algorithm>
#include <ctime>

#include "core/text.hpp"

namespace mote::api {

void EventLog::publish(std::string_view name, std::string_view members) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const u64 now_ms =
      static_cast<u64>(now.tv_sec) * 1000 + static_cast<u64>(now.tv_nsec) / 1'000'000;
  {
    const std::lock_guard guard(lock_);
    std::string text = format("id: %lu\nevent: ", ++count_) + std::string(name);
    text += format("\ndata: {\"event\":\"%.*s\",\"timestamp_ms\":%lu",
                   static_cast<int>(name.size()), name.data(), now_ms);
    if (!members.empty()) text += "," + std::string(members);
    events_.push_back(text + "}\n\n");
    if (events_.size() > kCapacity) events_.pop_front();
  }
  http::Server* const server = server_;
  if (server != nullptr) server->wake();
}

std::string EventLog::read(u64& cursor) {
  const std::lock_guard guard(lock_);
  const u64 forgotten = count_ - events_.size();
  std::string text;
  for (u64 number = std::max(cursor, forgotten); number < count_; ++number) {
    text += events_[number - forgotten];
  }
  cursor = std::max(cursor, count_);
  return text;
}

}  // namespace mote::api
