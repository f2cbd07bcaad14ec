// SPDX-License-Identifier: Apache-2.0
// How a device's interrupts reach the vCPUs: the I/O APIC's pins, the PIC pair, messages, and the
// way into KVM.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "core/irq_line.hpp"
#include "core/result.hpp"
#include "core/types.hpp"
#include "devices/minimal/ioapic.hpp"
#include "devices/minimal/pic.hpp"
#include "vmm/kvm/routes.hpp"
#include "vmm/kvm/vm.hpp"
#include "vmm/machine/event_line.hpp"
#include "vmm/machine/message_lines.hpp"
#include "vmm/machine/trigger_lines.hpp"

namespace mote {

/// Owns the interrupt controllers. A wire below 16 ends at both of them, as in a PC: which one
/// delivers is what the guest has unmasked.
class Interrupts final : private MsiSink {
 public:
  /// `pic_output` is told when the PIC pair wants vCPU 0; null leaves the PIC pair out.
  Interrupts(kvm::Vm& vm, PicOutput* pic_output);

  IrqLine& line(Pin pin) { return lines_[index(pin)]; }
  /// The line of a device that interrupts often, with an irqfd; see EventLine. After the vCPUs have
  /// been made; it lives as long as this.
  Result<IrqLine*> event_line(Pin pin);
  /// The lines of a function with `vectors` MSI-X vectors; likewise.
  Result<MessageLines*> message_lines(u32 vectors);
  /// Those of a device of the host; likewise.
  Result<TriggerLines*> trigger_lines(u32 vectors);
  /// Ends those of a device that has been taken away; their GSIs stay without a route. One thread,
  /// behind the start.
  void end_trigger_lines(const TriggerLines* lines);
  IoApic& ioapic() { return ioapic_; }
  /// Null in a machine without legacy devices.
  PicPair* pic() { return pic_ ? &*pic_ : nullptr; }

 private:
  class Line final : public IrqLine {
   public:
    void connect(Interrupts& owner, Pin pin) {
      owner_ = &owner;
      pin_ = pin;
    }
    void set_level(bool high) override { owner_->set_level(pin_, high); }

   private:
    Interrupts* owner_ = nullptr;
    Pin pin_{};
  };

  void set_level(Pin pin, bool high);
  void deliver(const MsiMessage& message) override { vm_.signal_msi(message); }
  void set_route(Pin pin, const std::optional<MsiMessage>& message) override {
    routes_.set(index(pin), message);
  }

  kvm::Vm& vm_;
  kvm::Routes routes_{vm_};
  IoApic ioapic_{*this};
  std::optional<PicPair> pic_;
  std::array<Line, kPinCount> lines_;
  std::vector<std::unique_ptr<EventLine>> event_lines_;
  std::vector<std::unique_ptr<MessageLines>> message_lines_;
  std::vector<std::unique_ptr<TriggerLines>> trigger_lines_;
};

}  // namespace mote
