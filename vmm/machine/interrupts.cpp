// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/interrupts.hpp"

namespace mote {

Interrupts::Interrupts(kvm::Vm& vm, PicOutput* pic_output) : vm_(vm) {
  if (pic_output != nullptr) pic_.emplace(*pic_output);
  for (u8 pin = 0; pin < kPinCount; ++pin) lines_[pin].connect(*this, Pin{pin});
}

Result<IrqLine*> Interrupts::event_line(Pin pin) {
  EventFd event = TRY(EventFd::create());
  TRY(vm_.add_irqfd(pin, event.fd()));
  ioapic_.use_irqfd(pin);
  event_lines_.push_back(std::make_unique<EventLine>(*this, pin, std::move(event)));
  return event_lines_.back().get();
}

/// An irqfd knows only the I/O APIC's route: not while the guest takes this interrupt by the PICs.
bool Interrupts::delivers_by_irqfd(Pin pin) const {
  return ioapic_.delivers_by_irqfd(pin) && !(pic_ && pic_->drives(index(pin)));
}

void Interrupts::EventLine::set_level(bool high) {
  if (high && owner_.delivers_by_irqfd(pin_)) return event_.signal();
  if (high == high_) return;
  high_ = high;
  owner_.set_level(pin_, high);
}

void Interrupts::set_level(Pin pin, bool high) {
  ioapic_.set_level(pin, high);
  if (pic_ && index(pin) < PicPair::kInputCount) pic_->set_level(index(pin), high);
}

}  // namespace mote
