// SPDX-License-Identifier: Apache-2.0
// Structs from JSON objects: which fields there are, what they may hold, and in the words of serde,
// which clients of such interfaces know, what is wrong. Pure.
#pragma once

#include <array>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/value.hpp"
#include "core/result.hpp"

namespace mote::json {

/// Takes values over, and keeps the first problem. Every `read` returns false when there is one.
class Reader {
 public:
  bool read(const Value& value, std::string& text);
  bool read(const Value& value, bool& flag);
  bool read(const Value& value, u8& number) { return read_number(value, "u8", number); }
  bool read(const Value& value, u16& number) { return read_number(value, "u16", number); }
  bool read(const Value& value, u32& number) { return read_number(value, "u32", number); }
  bool read(const Value& value, u64& number) { return read_number(value, "u64", number); }
  template <class T>
  bool read(const Value& value, std::optional<T>& result) {
    return read(value, result.emplace());
  }

  /// One of `names`; `index` is which.
  bool read_variant(const Value& value, std::span<const std::string_view> names,
                    std::size_t& index);
  template <class T, std::size_t N>
  bool read_variant(const Value& value, const std::array<std::string_view, N>& names,
                    const std::array<T, N>& values, T& result) {
    std::size_t index = 0;
    if (!read_variant(value, names, index)) return false;
    result = values[index];
    return true;
  }

  /// Notes that something is wrong at `offset`, unless something was before. Returns false.
  bool refuse(std::string what, std::size_t offset);
  /// The same for a value that is not what was expected: "a string".
  bool refuse_type(const Value& value, std::string_view expected);

  /// The first problem, with its place in `text`.
  Error error(std::string_view text) const;

 private:
  bool read_u64(const Value& value, std::string_view type, u64 most, u64& number);
  template <class T>
  bool read_number(const Value& value, std::string_view type, T& number) {
    u64 wide = 0;
    if (!read_u64(value, type, std::numeric_limits<T>::max(), wide)) return false;
    number = static_cast<T>(wide);
    return true;
  }

  struct Problem {
    std::string what;
    std::size_t offset = 0;
  };
  std::optional<Problem> problem_;
};

enum class Need : u8 { kOptional, kRequired };
enum class Unknown : u8 { kRefuse, kIgnore };

/// A field of the struct T. One that is optional may be null.
template <class T>
struct Field {
  std::string_view name;
  Need need;
  bool (*set)(Reader& reader, const Value& value, T& target);
};

/// What `read_object` needs to know of any field.
struct FieldName {
  std::string_view name;
  Need need;
};

bool is_field(std::string_view name, std::span<const FieldName> fields);
/// Which of `fields` a member is; nothing, and a problem, when it is none or comes twice.
std::optional<std::size_t> find_field(Reader& reader, const Member& member,
                                      std::span<const FieldName> fields, u64 seen);
/// Whether all required fields were seen (a bit for each), or a problem.
bool check_required(Reader& reader, const Value& object, std::span<const FieldName> fields,
                    u64 seen);

/// Reads an object into `target`, field by field in the order of the text. `what` is what it should
/// be: "struct DriveConfig".
template <class T, std::size_t N>
bool read_object(Reader& reader, const Value& object, std::string_view what,
                 const Field<T> (&fields)[N], T& target, Unknown unknown = Unknown::kRefuse) {
  static_assert(N <= 64, "a bit for each");
  if (object.kind != Kind::kObject) return reader.refuse_type(object, what);
  std::array<FieldName, N> names;
  for (std::size_t i = 0; i < N; ++i) names[i] = {fields[i].name, fields[i].need};
  u64 seen = 0;
  for (const Member& member : object.members) {
    if (unknown == Unknown::kIgnore && !is_field(member.name, names)) continue;
    const auto index = find_field(reader, member, names, seen);
    if (!index) return false;
    seen |= u64{1} << *index;
    const Field<T>& field = fields[*index];
    if (field.need == Need::kOptional && member.value.is_null()) continue;
    if (!field.set(reader, member.value, target)) return false;
  }
  return check_required(reader, object, names, seen);
}

}  // namespace mote::json
