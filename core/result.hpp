// SPDX-License-Identifier: Apache-2.0
// Result<T> and Error: how failures of host and configuration travel. Guest misbehaviour is not an
// Error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/check.hpp"

namespace mote {

/// Whose fault a failure is; the command line turns it into the exit code (docs/exit-codes.md).
enum class Fault {
  kHost,    ///< the host lacks something or a system call failed
  kConfig,  ///< the command line or a configuration file is wrong
  kImage,   ///< a guest image was refused
};

/// A failure in words: "attempted: object: reason -- what to do". Built on cold paths only.
class Error {
 public:
  Error(Fault fault, std::string message) : fault_(fault), message_(std::move(message)) {}

  /// A failed system call: `what` names the attempt and its object; the errno's text and name
  /// follow. `remedy` says what to do, or is empty.
  static Error from_errno(int errno_value, std::string_view what, std::string_view remedy = {});
  static Error host(std::string message) { return {Fault::kHost, std::move(message)}; }
  static Error config(std::string message) { return {Fault::kConfig, std::move(message)}; }
  static Error image(std::string message) { return {Fault::kImage, std::move(message)}; }

  Fault fault() const { return fault_; }
  /// The errno of a failed system call, 0 for others.
  int errno_value() const { return errno_value_; }
  const std::string& message() const { return message_; }

  /// The same failure seen from further out: "what: message".
  Error within(std::string_view what) &&;

 private:
  Fault fault_;
  int errno_value_ = 0;
  std::string message_;
};

/// A value or an Error. Must be looked at; `TRY` is the usual way.
template <class T>
class [[nodiscard]] Result {
  static_assert(!std::is_reference_v<T>, "return a pointer instead");

 public:
  using value_type = T;
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit on purpose
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit on purpose

  explicit operator bool() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 0; }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return failure(); }
  const Error& error() const& { return failure(); }
  Error&& error() && { return std::move(failure()); }

 private:
  T& value() { return const_cast<T&>(std::as_const(*this).value()); }
  const T& value() const {
    CHECK(has_value(), "value of a failed Result");
    return *std::get_if<0>(&state_);
  }
  Error& failure() { return const_cast<Error&>(std::as_const(*this).failure()); }
  const Error& failure() const {
    CHECK(!has_value(), "error of a successful Result");
    return *std::get_if<1>(&state_);
  }
  std::variant<T, Error> state_;
};

/// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

  explicit operator bool() const { return !error_.has_value(); }
  bool has_value() const { return !error_.has_value(); }
  void operator*() const {}
  Error& error() & { return failure(); }
  const Error& error() const& { return failure(); }
  Error&& error() && { return std::move(failure()); }

 private:
  Error& failure() { return const_cast<Error&>(std::as_const(*this).failure()); }
  const Error& failure() const {
    CHECK(!has_value(), "error of a successful Result");
    return *error_;
  }
  std::optional<Error> error_;
};

}  // namespace mote

#define MOTE_CONCAT_(a, b) a##b
#define MOTE_CONCAT(a, b) MOTE_CONCAT_(a, b)
#define MOTE_TRY_(expression, result)              \
  __extension__({                                  \
    auto result = (expression);                    \
    if (!result) return std::move(result).error(); \
    *std::move(result);                            \
  })
/// The value of a Result, or leaves the calling function with its Error.
#define TRY(expression) MOTE_TRY_(expression, MOTE_CONCAT(try_result_, __COUNTER__))
