// SPDX-License-Identifier: Apache-2.0
// Numbers and lines for print(). One vCPU at a time.
#include "guests/kit/print.hpp"

#include "guests/kit/serial.hpp"

namespace kit {

void Line::add(std::string_view text) {
  while (!text.empty()) {
    if (size_ == sizeof(text_)) flush();
    const std::size_t room = sizeof(text_) - size_;
    const std::size_t count = text.size() < room ? text.size() : room;
    __builtin_memcpy(text_ + size_, text.data(), count);
    size_ += count;
    text.remove_prefix(count);
  }
}

void Line::add(Hex number) {
  char digits[16];
  std::size_t first = sizeof(digits);
  u64 rest = number.value;
  do {
    digits[--first] = "0123456789abcdef"[rest & 15];
    rest >>= 4;
  } while (rest != 0);
  add("0x");
  add(std::string_view(digits + first, sizeof(digits) - first));
}

void Line::add_decimal(u64 number) {
  char digits[20];
  std::size_t first = sizeof(digits);
  do {
    digits[--first] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  add(std::string_view(digits + first, sizeof(digits) - first));
}

void Line::flush() {
  serial::write({text_, size_});
  size_ = 0;
}

}  // namespace kit
