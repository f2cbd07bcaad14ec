// SPDX-License-Identifier: Apache-2.0
// From a device's triggers to what the guest knows of its interrupts: the table of MSI-X, or the
// registers of MSI.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "devices/pci/config_space.hpp"
#include "devices/pci/msix.hpp"
#include "devices/vfio/bar_plan.hpp"
#include "devices/vfio/device.hpp"
#include "devices/vfio/msi_view.hpp"

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

/// The device keeps its interrupts on from the start: what the guest masks, or has not switched on,
/// is held back behind the trigger, so that nothing has to be asked of VFIO while the guest runs.
/// MSI is to it an MSI-X whose table is written by way of the registers. No lock: the function has
/// one.
class Interrupts {
 public:
  /// Vectors that a guest sees of a device that has more: each costs an eventfd.
  static constexpr u32 kMostVectors = 64;

  explicit Interrupts(const MsixPlace& table);
  explicit Interrupts(const MsiShape& msi);

  /// Those of the device, kMostVectors at the most; behind `connect`, those that the guest has.
  u32 vectors() const { return table_ ? table_->vectors : msi_.vectors; }

  /// Has `device` signal `lines`, which outlive this and have a line for each vector, and adds the
  /// capability to `config`. When the host has not as many interrupts, the guest has fewer. Once,
  /// before the first vCPU runs and before any call below.
  Result<void> connect(const Device& device, TriggerLines& lines, pci::ConfigSpace& config);

  /// Takes the interrupts away from the guest, for good. No call comes behind it.
  void disconnect();

  /// The guest has written to `config` at `offset`.
  void on_config_written(const pci::ConfigSpace& config, u32 offset);
  /// Puts what the configuration space does not know into `data`, which was read from it.
  void complete_config(const pci::ConfigSpace& config, u32 offset, std::span<std::byte> data);

  /// Whether `offset` of BAR `bar` is in the table or the pending bits, and not in the device.
  bool has(u32 bar, u64 offset) const { return in_table(bar, offset) || in_pending(bar, offset); }
  /// Accesses to what it has.
  void read_bar(u32 bar, u64 offset, std::span<std::byte> data);
  void write_bar(u32 bar, u64 offset, std::span<const std::byte> data);

 private:
  bool in_table(u32 bar, u64 offset) const;
  bool in_pending(u32 bar, u64 offset) const;
  Result<void> switch_on(const Device& device, const TriggerLines& lines);
  void take_registers(const pci::ConfigSpace& config);
  void set_control(u16 control);
  void update_delivery(u32 vector);
  void collect_kept();

  std::optional<MsixPlace> table_;  // as the guest sees it; none: MSI
  MsiShape msi_;                    // likewise
  u32 offset_ = 0;                  // of the capability
  TriggerLines* lines_ = nullptr;
  std::optional<pci::MsiX> msix_;
  bool is_on_ = false;  // in the guest's view
  std::vector<bool> delivering_;
};

}  // namespace mote::vfio
