// SPDX-License-Identifier: Apache-2.0
// Words of the kernel's part of the command line, which ends at the word "--". Any vCPU.
#include "guests/kit/command_line.hpp"

namespace kit {
namespace {

bool starts_with(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && text.substr(0, start.size()) == start;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// The value of a digit, or something no base has.
u32 digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<u32>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<u32>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<u32>(c - 'A') + 10;
  return ~0U;
}

}  // namespace

bool Words::next(std::string_view& word) {
  while (take_char(rest_, ' ')) {
  }
  std::size_t size = 0;
  while (size < rest_.size() && rest_[size] != ' ') size++;
  word = rest_.substr(0, size);
  rest_.remove_prefix(size);
  if (word == "--") rest_ = {};
  return !word.empty() && word != "--";
}

bool take_number(std::string_view& text, u64& number) {
  u32 base = 10;
  if (starts_with(text, "0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  if (text.empty() || digit_value(text.front()) >= base) return false;
  number = 0;
  while (!text.empty() && digit_value(text.front()) < base) {
    number = number * base + digit_value(text.front());
    text.remove_prefix(1);
  }
  if (take_char(text, 'K')) number *= kKiB;
  if (take_char(text, 'M')) number *= kMiB;
  if (take_char(text, 'G')) number *= kGiB;
  return true;
}

std::string_view find_value(std::string_view line, std::string_view key) {
  Words words(line);
  std::string_view word;
  while (words.next(word)) {
    if (!starts_with(word, key)) continue;
    word.remove_prefix(key.size());
    if (take_char(word, '=')) return word;
  }
  return {};
}

u64 find_number(std::string_view line, std::string_view key, u64 otherwise) {
  std::string_view value = find_value(line, key);
  u64 number = 0;
  return take_number(value, number) && value.empty() ? number : otherwise;
}

bool has_word(std::string_view line, std::string_view word) {
  Words words(line);
  std::string_view next;
  while (words.next(next)) {
    if (next == word) return true;
  }
  return false;
}

bool parse_virtio_mmio(std::string_view word, VirtioMmioDevice& device) {
  constexpr std::string_view kKey = "virtio_mmio.device=";
  if (!starts_with(word, kKey)) return false;
  word.remove_prefix(kKey.size());
  u64 irq = 0;
  if (!take_number(word, device.size) || !take_char(word, '@')) return false;
  if (!take_number(word, device.base) || !take_char(word, ':')) return false;
  if (!take_number(word, irq)) return false;
  device.irq = static_cast<u32>(irq);
  return true;
}

}  // namespace kit
