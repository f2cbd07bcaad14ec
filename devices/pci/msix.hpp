// SPDX-License-Identifier: Apache-2.0
// MSI-X of one function: the table of messages, the pending bits, the mask [PCI-3.0 6.8.2].
#pragma once

#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/types.hpp"
#include "devices/pci/config_space.hpp"
#include "devices/pci/function.hpp"

namespace mote::pci {

/// A vector that is raised while it is masked is pending, and is sent when it no longer is. While
/// MSI-X is off there are no interrupts at all: functions here have no pin.
///
/// The sink is told of a message when a vector that is not masked has another one than before: who
/// masks and unmasks costs nothing. One lock, below the function's; the sink is called under it.
class MsiX {
 public:
  static constexpr u32 kMaxVectors = 2048;
  static constexpr u64 kEntrySize = 16;

  /// An entry of the table, in the guest's layout.
  struct Entry {
    MsiMessage message;
    bool masked = true;
    bool operator==(const Entry&) const = default;
  };

  /// All that the guest can change but the control, which the configuration space holds; plain
  /// data.
  struct State {
    std::vector<Entry> table;
    std::vector<bool> pending;
    bool operator==(const State&) const = default;
  };

  /// `vectors`: 1 to kMaxVectors. `sink` has a line for each, and outlives this.
  MsiX(u32 vectors, MessageSink& sink);

  u32 vectors() const { return static_cast<u32>(table_.size()); }
  /// Bytes of the table and of the pending bits.
  u64 table_size() const { return table_.size() * kEntrySize; }
  u64 pending_size() const { return (table_.size() + 63) / 64 * 8; }

  /// Adds the capability to `config`, with the table at `table_offset` and the pending bits at
  /// `pending_offset` (multiples of 8) of BAR `bar`. Returns where it lies.
  u8 add_capability(ConfigSpace& config, u32 bar, u32 table_offset, u32 pending_offset) const;
  /// The capability's Message Control, whenever the guest may have written it.
  void set_control(u16 control);

  /// `offset` is within the table or the pending bits. Aligned words of 4 or 8 bytes; all else
  /// reads as ones and is ignored, as what lies behind the end is. The pending bits take nothing.
  void read_table(u64 offset, std::span<std::byte> data) const;
  void write_table(u64 offset, std::span<const std::byte> data);
  void read_pending(u64 offset, std::span<std::byte> data) const;
  /// What writing all of an entry of the table at once would do; `vector` is below `vectors`. For
  /// registers that are no table.
  void set_entry(u32 vector, const Entry& entry);

  /// Sends `vector`, or has it pending. One that does not exist sends nothing. Any thread.
  void raise(u32 vector);
  /// Nothing is pending any more: the function has been reset.
  void forget_pending();
  /// Takes all messages back from the sink: the function goes, and the guest writes no more.
  void withdraw();
  /// Whether `vector` (below `vectors`) is held back now.
  bool is_masked(u32 vector) const;

  State save() const;
  /// Takes any State, once the control is set, and tells the sink of the messages. Sends nothing: a
  /// vector that is not held back is not pending.
  void restore(const State& state);

 private:
  bool holds_back(u32 vector) const;
  void update(u32 vector);
  void update_all();
  void publish(u32 vector);

  MessageSink& sink_;
  mutable std::mutex lock_;
  bool enabled_ = false;
  bool function_masked_ = false;
  std::vector<Entry> table_;
  std::vector<bool> pending_;
  std::vector<std::optional<MsiMessage>> published_;
};

}  // namespace mote::pci
