// SPDX-License-Identifier: Apache-2.0
// JSON text [RFC 8259] as a tree that remembers where in the text its parts are. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::json {

struct Member;

enum class Kind : u8 { kNull, kBool, kNumber, kString, kArray, kObject };

struct Value {
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::string text;  ///< of a string its bytes, of a number its digits as they stand there
  std::vector<Member> members;  ///< of an object, or (without names) of an array, in their order
  std::size_t end = 0;          ///< offset in the text of what follows

  bool is_null() const { return kind == Kind::kNull; }
  /// The member of this name, or null.
  const Value* find(std::string_view name) const;
};

struct Member {
  std::string name;
  std::size_t name_end = 0;  ///< offset in the text of what follows the name
  Value value;
};

/// More values in one text, or values more deeply nested, are refused.
inline constexpr std::size_t kMaxValues = 16384;
inline constexpr std::size_t kMaxDepth = 64;

/// Reads one value and nothing behind it. The Error says what is wrong and where: "... at line 1
/// column 5".
Result<Value> parse(std::string_view text);

/// "`what` at line L column C": the place of byte `offset`, as people count.
std::string at_place(std::string_view what, std::string_view text, std::size_t offset);

}  // namespace mote::json
