// SPDX-License-Identifier: Apache-2.0
// The other end of the server: one request to a Unix socket, on a connection of its own. Blocks
// its thread, within limits of time and size.
#pragma once

#include <string>
#include <string_view>

#include "api/http/message.hpp"
#include "core/result.hpp"

namespace mote::http {

/// What is asked.
struct Call {
  Method method = Method::kGet;
  std::string path;
  std::string body;        ///< JSON, or empty
  u64 answer_ms = 10'000;  ///< until all of the answer is there; of a stream, its head
};

struct Answer {
  int status = 0;
  std::string body;  ///< without what a `BodySink` took
};

/// Takes a body in the parts that it comes in.
class BodySink {
 public:
  virtual ~BodySink() = default;
  /// False when there need be no more.
  virtual bool take(std::string_view part) = 0;
};

/// Asks the server at `socket`. A body that comes with status 200 goes to `stream`, if there is
/// one, for as long as the server sends. An Error (of the host's) says why there is no answer; a
/// refusal is an answer.
Result<Answer> ask(const std::string& socket, const Call& call, BodySink* stream = nullptr);

}  // namespace mote::http
