// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/message_lines.hpp"

#include <utility>

namespace mote {

Result<std::unique_ptr<MessageLines>> MessageLines::create(kvm::Vm& vm, kvm::Routes& routes,
                                                           u32 count) {
  std::unique_ptr<MessageLines> lines(new MessageLines(routes));
  for (u32 vector = 0; vector < count; ++vector) {
    EventFd event = TRY(EventFd::create());
    const u32 gsi = TRY(routes.add());
    TRY(vm.add_irqfd(gsi, event.fd()));
    lines->lines_.push_back({gsi, std::move(event)});
  }
  return lines;
}

}  // namespace mote
