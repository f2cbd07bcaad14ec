// SPDX-License-Identifier: Apache-2.0
#include "core/json/writer.hpp"

#include "core/text.hpp"

namespace mote::json {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

/// How many bytes the UTF-8 sequence at the front has; 0 when it is none [Unicode 15 table 3-7].
std::size_t sequence_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<u8>(text[i]); };
  const u8 first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  const u8 least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const u8 most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return size;
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t size = sequence_size(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<u8>(c) < 0x20 || c == 0x7f) {
      out += format("\\u%04x", static_cast<unsigned>(static_cast<u8>(c)));
    } else {
      out += size == 0 ? kReplacement : text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out += '"';
}

std::string quoted(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

Writer& Writer::key(std::string_view name) {
  separate();
  append_string(out_, name);
  out_ += ':';
  follows_ = false;
  return *this;
}

Writer& Writer::string(std::string_view text) {
  separate();
  append_string(out_, text);
  follows_ = true;
  return *this;
}

Writer& Writer::raw(std::string_view value) {
  separate();
  out_ += value;
  follows_ = true;
  return *this;
}

Writer& Writer::open(char bracket) {
  separate();
  out_ += bracket;
  follows_ = false;
  return *this;
}

Writer& Writer::close(char bracket) {
  out_ += bracket;
  follows_ = true;
  return *this;
}

void Writer::separate() {
  if (follows_) out_ += ',';
}

}  // namespace mote::json
