// SPDX-License-Identifier: Apache-2.0
#include "core/json/fields.hpp"

#include <algorithm>
#include <charconv>

namespace mote::json {
namespace {

constexpr std::size_t kLongestQuote = 64;

std::string ticked(std::string_view text) {
  return "`" + std::string(text.substr(0, kLongestQuote)) + "`";
}

bool is_integer(std::string_view digits) {
  return digits.find_first_of(".eE") == std::string_view::npos;
}

/// What a value is, as it is told that something else was expected.
std::string describe(const Value& value) {
  switch (value.kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return value.boolean ? "boolean `true`" : "boolean `false`";
    case Kind::kNumber:
      return (is_integer(value.text) ? "integer " : "floating point ") + ticked(value.text);
    case Kind::kString:
      return "string \"" + value.text.substr(0, kLongestQuote) + "\"";
    case Kind::kArray:
      return "sequence";
    case Kind::kObject:
      return "map";
  }
  return "nothing";
}

/// "`a`", "`a` or `b`", "one of `a`, `b`, `c`".
template <class Names>
std::string alternatives(const Names& names) {
  if (names.size() == 2) return ticked(names[0]) + " or " + ticked(names[1]);
  std::string text = names.size() > 2 ? "one of " : "";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + ticked(names[i]);
  return text;
}

}  // namespace

bool Reader::refuse(std::string what, std::size_t offset) {
  if (!problem_) problem_ = {std::move(what), offset};
  return false;
}

bool Reader::refuse_type(const Value& value, std::string_view expected) {
  return refuse("invalid type: " + describe(value) + ", expected " + std::string(expected),
                value.end);
}

Error Reader::error(std::string_view text) const {
  CHECK(problem_, "something was refused");
  return Error::config(at_place(problem_->what, text, problem_->offset));
}

bool Reader::read(const Value& value, std::string& text) {
  if (value.kind != Kind::kString) return refuse_type(value, "a string");
  // Paths and names end up in system calls, where this would end them.
  if (value.text.find('\0') != std::string::npos) {
    return refuse("invalid value: string with a NUL character, expected a string", value.end);
  }
  text = value.text;
  return true;
}

bool Reader::read(const Value& value, bool& flag) {
  if (value.kind != Kind::kBool) return refuse_type(value, "a boolean");
  flag = value.boolean;
  return true;
}

bool Reader::read_u64(const Value& value, std::string_view type, u64 most, u64& number) {
  const std::string& digits = value.text;
  if (value.kind != Kind::kNumber || !is_integer(digits)) return refuse_type(value, type);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc() && end == digits.data() + digits.size() && number <= most) return true;

  return refuse("invalid value: " + describe(value) + ", expected " + std::string(type), value.end);
}

bool Reader::read_variant(const Value& value, std::span<const std::string_view> names,
                          std::size_t& index) {
  if (value.kind != Kind::kString) return refuse_type(value, "a variant: " + alternatives(names));
  const auto name = std::find(names.begin(), names.end(), value.text);
  if (name == names.end()) {
    return refuse("unknown variant " + ticked(value.text) + ", expected " + alternatives(names),
                  value.end);
  }
  index = static_cast<std::size_t>(name - names.begin());
  return true;
}

bool is_field(std::string_view name, std::span<const FieldName> fields) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const FieldName& field) { return field.name == name; });
}

std::optional<std::size_t> find_field(Reader& reader, const Member& member,
                                      std::span<const FieldName> fields, u64 seen) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name != member.name) continue;
    if ((seen >> i & 1) == 0) return i;
    reader.refuse("duplicate field " + ticked(member.name), member.name_end);
    return std::nullopt;
  }
  std::vector<std::string_view> names;
  for (const FieldName& field : fields) names.push_back(field.name);
  reader.refuse("unknown field " + ticked(member.name) + ", expected " + alternatives(names),
                member.name_end);
  return std::nullopt;
}

bool check_required(Reader& reader, const Value& object, std::span<const FieldName> fields,
                    u64 seen) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].need == Need::kOptional || (seen >> i & 1) != 0) continue;
    return reader.refuse("missing field " + ticked(fields[i].name), object.end);
  }
  return true;
}

}  // namespace mote::json
