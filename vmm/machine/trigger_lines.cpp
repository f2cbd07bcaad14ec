// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/trigger_lines.hpp"

#include <utility>

#include "core/log.hpp"

namespace mote {

Result<std::unique_ptr<TriggerLines>> TriggerLines::create(kvm::Vm& vm, kvm::Routes& routes,
                                                           u32 count) {
  std::unique_ptr<TriggerLines> lines(new TriggerLines(vm, routes));
  for (u32 vector = 0; vector < count; ++vector) {
    EventFd event = TRY(EventFd::create(true));
    lines->lines_.push_back({TRY(routes.add()), std::move(event)});
  }
  return lines;
}

void TriggerLines::set_delivering(u32 vector, bool delivering) {
  const Line& line = lines_.at(vector);
  const auto set = delivering ? vm_.add_irqfd(line.gsi, line.event.fd())
                              : vm_.remove_irqfd(line.gsi, line.event.fd());
  // Only a host out of memory refuses it, and the guest may ask as often as it likes.
  static LogLimiter limiter;
  if (!set) limiter.log(LogLevel::kError, "%s", set.error().message().c_str());
}

}  // namespace mote
