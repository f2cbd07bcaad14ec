// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/interrupts.hpp"

namespace mote {

Interrupts::Interrupts(kvm::Vm& vm, PicOutput* pic_output) : vm_(vm) {
  if (pic_output != nullptr) pic_.emplace(*pic_output);
  for (u8 pin = 0; pin < kPinCount; ++pin) lines_[pin].connect(*this, Pin{pin});
}

Result<IrqLine*> Interrupts::event_line(Pin pin) {
  EventFd event = TRY(EventFd::create());
  TRY(vm_.add_irqfd(index(pin), event.fd()));
  ioapic_.use_irqfd(pin);
  event_lines_.push_back(
      std::make_unique<EventLine>(ioapic_, pic(), pin, line(pin), std::move(event)));
  return event_lines_.back().get();
}

Result<MessageLines*> Interrupts::message_lines(u32 vectors) {
  message_lines_.push_back(TRY(MessageLines::create(vm_, routes_, vectors)));
  return message_lines_.back().get();
}

Result<TriggerLines*> Interrupts::trigger_lines(u32 vectors) {
  trigger_lines_.push_back(TRY(TriggerLines::create(vm_, routes_, vectors)));
  return trigger_lines_.back().get();
}

void Interrupts::end_trigger_lines(const TriggerLines* lines) {
  std::erase_if(trigger_lines_, [lines](const auto& other) { return other.get() == lines; });
}

void Interrupts::set_level(Pin pin, bool high) {
  ioapic_.set_level(pin, high);
  if (pic_ && index(pin) < PicPair::kInputCount) pic_->set_level(index(pin), high);
}

}  // namespace mote
