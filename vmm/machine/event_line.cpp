// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/event_line.hpp"

namespace mote {

void EventLine::set_level(bool high) {
  const bool by_irqfd =
      ioapic_.delivers_by_irqfd(pin_) && !(pic_ != nullptr && pic_->drives(index(pin_)));
  if (high && by_irqfd) return event_.signal();
  if (high == high_) return;
  high_ = high;
  wire_.set_level(high);
}

}  // namespace mote
