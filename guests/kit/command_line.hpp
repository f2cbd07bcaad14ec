// SPDX-License-Identifier: Apache-2.0
// Words of the kernel's part of the command line, which ends at the word "--". Any vCPU.
#pragma once

#include <string_view>

#include "guests/kit/types.hpp"

namespace kit {

/// Walks the words of a command line up to "--".
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  /// Takes the next word; false at the end.
  bool next(std::string_view& word);

 private:
  std::string_view rest_;
};

/// Reads a decimal or 0x number with an optional suffix K, M or G from the front of `text` and
/// takes it away; false when there is no digit.
bool take_number(std::string_view& text, u64& number);

/// The value of the first word `key=value`; empty when there is none.
std::string_view find_value(std::string_view line, std::string_view key);

/// The same as a number; `otherwise` when it is not there or not a number.
u64 find_number(std::string_view line, std::string_view key, u64 otherwise);

/// True when `word` stands by itself among the words.
bool has_word(std::string_view line, std::string_view word);

/// A virtio-mmio device as the monitor announces it [kernel-parameters.txt, virtio_mmio.device].
struct VirtioMmioDevice {
  u64 size;
  u64 base;
  u32 irq;
};

/// Reads `virtio_mmio.device=SIZE@BASE:IRQ`; false when `word` is something else.
bool parse_virtio_mmio(std::string_view word, VirtioMmioDevice& device);

}  // namespace kit
