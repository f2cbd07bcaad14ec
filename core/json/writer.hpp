// SPDX-License-Identifier: Apache-2.0
// JSON text [RFC 8259], written from front to back. Pure.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "core/types.hpp"

namespace mote::json {

/// Appends `text` in quotes. Bytes that are no UTF-8 become U+FFFD.
void append_string(std::string& out, std::string_view text);
/// The same, alone.
std::string quoted(std::string_view text);

/// Puts commas and quotes where they belong. That begins and ends match, and that each value in an
/// object has a key before it, is for the caller.
class Writer {
 public:
  Writer& begin_object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& begin_array() { return open('['); }
  Writer& end_array() { return close(']'); }
  Writer& key(std::string_view name);
  Writer& string(std::string_view text);
  Writer& number(std::integral auto value) { return raw(std::to_string(value)); }
  Writer& boolean(bool value) { return raw(value ? "true" : "false"); }
  Writer& null() { return raw("null"); }
  /// A value that is JSON already.
  Writer& raw(std::string_view value);

  std::string take() { return std::move(out_); }

 private:
  Writer& open(char bracket);
  Writer& close(char bracket);
  void separate();

  std::string out_;
  bool follows_ = false;  // something stands before that a comma has to part
};

}  // namespace mote::json
