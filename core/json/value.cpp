// SPDX-License-Identifier: Apache-2.0
#include "core/json/value.hpp"

#include <algorithm>

#include "core/text.hpp"

// What a text holds must not reach an assertion of the library; if it does, that is ours.
#define RAPIDJSON_ASSERT(condition) CHECK(condition, "RapidJSON's own promise")
// Before its stack has memory the library compares null and an offset with null, which the
// sanitizer minds, and which comes out as meant.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#if defined(__clang__)
#pragma clang attribute pop
#endif

namespace mote::json {
namespace {

using rapidjson::ParseErrorCode;
using rapidjson::SizeType;

/// Builds the tree from the parser's events.
class Builder {
 public:
  Builder(const rapidjson::MemoryStream& stream, Value& root) : stream_(stream), root_(root) {}

  bool Null() { return add(Kind::kNull) != nullptr; }
  bool Bool(bool boolean) {
    Value* const value = add(Kind::kBool);
    if (value != nullptr) value->boolean = boolean;
    return value != nullptr;
  }
  bool RawNumber(const char* digits, SizeType size, bool) {
    return add_text(Kind::kNumber, digits, size);
  }
  bool String(const char* text, SizeType size, bool) { return add_text(Kind::kString, text, size); }
  bool Key(const char* text, SizeType size, bool) {
    open_.back()->members.push_back({std::string(text, size), stream_.Tell(), {}});
    return true;
  }
  bool StartObject() { return open(Kind::kObject); }
  bool EndObject(SizeType) { return close(); }
  bool StartArray() { return open(Kind::kArray); }
  bool EndArray(SizeType) { return close(); }
  // Numbers come as text.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(i64) { return false; }
  bool Uint64(u64) { return false; }
  bool Double(double) { return false; }

  bool is_too_deep() const { return open_.size() >= kMaxDepth; }
  Kind inner() const { return open_.empty() ? Kind::kNull : open_.back()->kind; }
  bool is_inside() const { return !open_.empty(); }

 private:
  Value* add(Kind kind) {
    if (++count_ > kMaxValues) return nullptr;
    Value* value = &root_;
    if (!open_.empty()) {
      std::vector<Member>& members = open_.back()->members;
      if (open_.back()->kind == Kind::kArray) members.emplace_back();
      value = &members.back().value;
    }
    value->kind = kind;
    value->end = stream_.Tell();
    return value;
  }
  bool add_text(Kind kind, const char* text, SizeType size) {
    Value* const value = add(kind);
    if (value != nullptr) value->text.assign(text, size);
    return value != nullptr;
  }
  bool open(Kind kind) {
    if (is_too_deep()) return false;
    Value* const value = add(kind);
    // SAFETY: a vector only grows while its owner is the innermost, so what is open stays in place.
    if (value != nullptr) open_.push_back(value);
    return value != nullptr;
  }
  bool close() {
    open_.back()->end = stream_.Tell() + 1;  // the bracket has been seen but not taken
    open_.pop_back();
    return true;
  }

  const rapidjson::MemoryStream& stream_;
  Value& root_;
  std::vector<Value*> open_;
  std::size_t count_ = 0;
};

/// What the parser's complaint is, in the words that clients of such interfaces know.
const char* describe(ParseErrorCode code, const Builder& builder, bool at_end) {
  const bool in_object = builder.inner() == Kind::kObject;
  if (at_end && code != rapidjson::kParseErrorTermination) {
    return !builder.is_inside() ? "EOF while parsing a value"
           : in_object          ? "EOF while parsing an object"
                                : "EOF while parsing a list";
  }
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "EOF while parsing a value";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "trailing characters";
    case rapidjson::kParseErrorObjectMissName:
      return "key must be a string";
    case rapidjson::kParseErrorObjectMissColon:
      return "expected `:`";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "expected `,` or `}`";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "expected `,` or `]`";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "invalid escape";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "lone surrogate in hex escape";
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "invalid unicode code point";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "EOF while parsing a string";
    case rapidjson::kParseErrorNumberTooBig:
      return "number out of range";
    case rapidjson::kParseErrorNumberMissFraction:
    case rapidjson::kParseErrorNumberMissExponent:
      return "invalid number";
    case rapidjson::kParseErrorTermination:
      return builder.is_too_deep() ? "recursion limit exceeded" : "too many values";
    default:
      return "expected value";
  }
}

}  // namespace

const Value* Value::find(std::string_view name) const {
  for (const Member& member : members) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

std::string at_place(std::string_view what, std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const std::size_t column = before.size() - (before.rfind('\n') + 1);
  return std::string(what) + format(" at line %zu column %zu", line, column);
}

Result<Value> parse(std::string_view text) {
  // Without recursion, which a text could drive as deep as it liked; and numbers as they are, so
  // that none is rounded.
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  Value root;
  rapidjson::MemoryStream stream(text.data(), text.size());
  Builder builder(stream, root);
  rapidjson::Reader reader;
  if (reader.Parse<kFlags>(stream, builder)) {
    // A NUL byte looks like the end to the library.
    if (stream.Tell() == text.size()) return root;
    return Error::config(at_place("trailing characters", text, stream.Tell() + 1));
  }
  const std::size_t offset = std::min(reader.GetErrorOffset(), text.size());
  const char* const what = describe(reader.GetParseErrorCode(), builder, offset == text.size());
  // The column of the byte that is wrong, or of the last one if there is too little.
  return Error::config(at_place(what, text, std::min(offset + 1, text.size())));
}

}  // namespace mote::json
