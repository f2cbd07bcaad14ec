// SPDX-License-Identifier: Apache-2.0
// print("name ", 42, ' ', hex(x), '\n'): text on the serial port. One vCPU at a time.
#pragma once

#include <concepts>
#include <string_view>

#include "guests/kit/types.hpp"

namespace kit {

struct Hex {
  u64 value;
};
/// Prints as 0x and the digits needed.
constexpr Hex hex(u64 value) {
  return {value};
}

/// Gathers what one call prints, so that the port is written in few bursts.
class Line {
 public:
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() { flush(); }

  void add(std::string_view text);
  void add(const char* text) { add(std::string_view(text)); }
  void add(char c) { add(std::string_view(&c, 1)); }
  void add(Hex number);
  void add(std::unsigned_integral auto number) { add_decimal(number); }
  void add(std::signed_integral auto number) {
    const i64 wide = number;
    if (wide < 0) add('-');
    add_decimal(wide < 0 ? u64{0} - static_cast<u64>(wide) : static_cast<u64>(wide));
  }

 private:
  void add_decimal(u64 number);
  void flush();

  char text_[128];
  std::size_t size_ = 0;
};

template <class... Parts>
void print(const Parts&... parts) {
  Line line;
  (line.add(parts), ...);
}

}  // namespace kit
