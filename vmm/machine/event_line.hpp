// SPDX-License-Identifier: Apache-2.0
// The line of a device that interrupts often: past the interrupt controllers where that is right.
#pragma once

#include <utility>

#include "core/event_fd.hpp"
#include "core/irq_line.hpp"
#include "devices/minimal/ioapic.hpp"
#include "devices/minimal/pic.hpp"

namespace mote {

/// While the guest has the pin's I/O APIC entry edge-triggered and not masked, an irqfd delivers,
/// and no lock of ours is taken; else the level goes the way of every wire. An irqfd knows only the
/// I/O APIC's route: not while the guest takes this interrupt by the PICs. One thread at a time.
class EventLine final : public IrqLine {
 public:
  /// `event` is the irqfd of `pin`, `wire` ends at the controllers; null for `pic`: there is none.
  /// All of them outlive the line.
  EventLine(const IoApic& ioapic, const PicPair* pic, Pin pin, IrqLine& wire, EventFd event)
      : ioapic_(ioapic), pic_(pic), pin_(pin), wire_(wire), event_(std::move(event)) {}

  void set_level(bool high) override;

 private:
  const IoApic& ioapic_;
  const PicPair* const pic_;
  const Pin pin_;
  IrqLine& wire_;
  const EventFd event_;
  bool high_ = false;  // as the interrupt controllers were told
};

}  // namespace mote
