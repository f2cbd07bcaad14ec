// SPDX-License-Identifier: Apache-2.0
// A function of the host on the guest's PCI bus. Its memory is the guest's; what we stay in between
// of is the configuration space and the pages with the MSI-X table.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "devices/pci/config_space.hpp"
#include "devices/pci/function.hpp"
#include "devices/vfio/bar_plan.hpp"
#include "devices/vfio/config_view.hpp"
#include "devices/vfio/device.hpp"
#include "devices/vfio/interrupts.hpp"

namespace mote::vfio {

/// Interrupts and memory decoding are on in the device from the start, whatever the guest does: it
/// has its own view of both.
///
/// LIMIT: a BAR's memory is there for the guest also while decoding is off in its view.
class Function final : public pci::Function {
 public:
  /// A part of a BAR that is mapped here, to be mapped into the guest.
  struct Direct {
    u32 bar = 0;
    Area area;
    Mapping mapping;
  };

  /// Looks at the device, which has just been reset, and maps it. An Error: it is of a kind that
  /// cannot be passed.
  static Result<std::unique_ptr<Function>> create(std::unique_ptr<Device> device);

  u32 vectors() const { return interrupts_.vectors(); }
  std::span<const Direct> direct() const { return direct_; }
  /// Has the device signal `lines`, which outlive this and have a line for each vector. Once,
  /// before the first vCPU runs; until then there are no calls but those of the start.
  Result<void> connect(TriggerLines& lines);
  /// Takes its interrupts away from the guest, for good. Nobody accesses it any more.
  void disconnect();
  /// Where BAR `bar` has been placed.
  Gpa home(u32 bar) const { return homes_.at(bar); }

  std::string_view name() const override { return device_->name(); }
  pci::Bars bars() const override { return bars_; }
  void place_bar(u32 bar, Gpa home) override;
  bool answers(u32 bar) const override;
  void read_config(u32 offset, std::span<std::byte> data) override;
  void write_config(u32 offset, std::span<const std::byte> data) override;
  void read_bar(u32 bar, u64 offset, std::span<std::byte> data) override;
  void write_bar(u32 bar, u64 offset, std::span<const std::byte> data) override;

 private:
  template <class Shape>
  Function(std::unique_ptr<Device> device, const Snapshot& snapshot, const pci::Bars& bars,
           const Shape& interrupts)
      : device_(std::move(device)),
        bars_(bars),
        config_(read_identity(snapshot), bars),
        interrupts_(interrupts) {}

  bool write_command(u16 command) const;

  std::unique_ptr<Device> device_;
  pci::Bars bars_;
  std::array<u64, pci::kBarCount> sizes_{};  // the device's own
  std::array<Gpa, pci::kBarCount> homes_{};
  std::vector<Direct> direct_;
  std::vector<Passage> passages_;

  mutable std::mutex lock_;
  pci::ConfigSpace config_;
  Interrupts interrupts_;
};

}  // namespace mote::vfio
