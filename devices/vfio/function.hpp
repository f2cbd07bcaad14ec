// SPDX-License-Identifier: Apache-2.0
// A function of the host on the guest's PCI bus. Its memory is the guest's; what we stay in between
// of is the configuration space and the pages with the MSI-X table.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "devices/pci/config_space.hpp"
#include "devices/pci/function.hpp"
#include "devices/pci/msix.hpp"
#include "devices/vfio/bar_plan.hpp"
#include "devices/vfio/config_view.hpp"
#include "devices/vfio/device.hpp"

namespace mote::vfio {

/// Lines to the local APICs that a device's triggers drive themselves.
class TriggerLines : public pci::MessageSink {
 public:
  /// The eventfd of vector `vector`.
  virtual int fd(u32 vector) const = 0;
  /// Whether a signal of the eventfd becomes an interrupt, with the message that was set last;
  /// else signals are kept there, and one of them becomes an interrupt when it is true again. At
  /// first it is false. Under the function's lock, by vCPU threads.
  virtual void set_delivering(u32 vector, bool delivering) = 0;
  /// Whether there were signals that were kept; forgets them. Not while delivering.
  virtual bool take_kept(u32 vector) = 0;
};

/// The device keeps MSI-X on from the start: what the guest masks, or has not switched on, is held
/// back behind the trigger, so that nothing has to be asked of VFIO while the guest runs but what
/// it does in the configuration space. Memory decoding likewise stays on in the device.
///
/// LIMIT: a BAR's memory is there for the guest also while decoding is off in its view.
class Function final : public pci::Function {
 public:
  /// Vectors that a guest sees of a device that has more: each costs an eventfd.
  static constexpr u32 kMostVectors = 64;

  /// A part of a BAR that is mapped here, to be mapped into the guest.
  struct Direct {
    u32 bar = 0;
    Area area;
    Mapping mapping;
  };

  /// Looks at the device, which has just been reset, and maps it. An Error: it is of a kind that
  /// cannot be passed.
  static Result<std::unique_ptr<Function>> create(std::unique_ptr<Device> device);

  u32 vectors() const { return place_.vectors; }
  std::span<const Direct> direct() const { return direct_; }
  /// Has the device signal `lines`, which outlive this and have a line for each vector. Once,
  /// before the first vCPU runs; until then there are no calls but those of the start.
  Result<void> connect(TriggerLines& lines);
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
  Function(std::unique_ptr<Device> device, const Snapshot& snapshot, const pci::Bars& bars)
      : device_(std::move(device)), bars_(bars), config_(read_identity(snapshot), bars) {}

  bool write_command(u16 command) const;
  void update_delivery(u32 vector);
  void control_written();
  void collect_kept();

  std::unique_ptr<Device> device_;
  pci::Bars bars_;
  std::array<u64, pci::kBarCount> sizes_{};  // the device's own
  std::array<Gpa, pci::kBarCount> homes_{};
  MsixPlace place_;  // as the guest sees it
  std::vector<Direct> direct_;
  std::vector<Passage> passages_;

  mutable std::mutex lock_;
  pci::ConfigSpace config_;
  TriggerLines* lines_ = nullptr;
  std::optional<pci::MsiX> msix_;
  u32 msix_offset_ = 0;
  bool is_on_ = false;  // MSI-X, in the guest's view
  std::vector<bool> delivering_;
};

}  // namespace mote::vfio
