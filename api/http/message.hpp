// SPDX-License-Identifier: Apache-2.0
// Requests and responses as handlers see them, and how a response looks on the wire.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/fd.hpp"
#include "core/types.hpp"

namespace mote::http {

enum class Method : u8 { kGet, kPut, kPatch, kDelete };

/// "GET" and so on.
std::string_view method_name(Method method);

/// What a client may ask of the server.
struct Limits {
  std::size_t line = 1024;       ///< bytes of the request line, and of each header line
  std::size_t head = 16 * kKiB;  ///< bytes of all lines before the body
  std::size_t body = 51200;      ///< bytes of a body, decoded
  std::size_t framing =
      512 * kKiB;               ///< bytes of a request as it was sent, chunks and trailers included
  std::size_t descriptors = 8;  ///< that come with one request
};

struct Request {
  Method method = Method::kGet;
  std::string path;           ///< as it was sent, of an absolute URI what is behind the authority
  std::string body;           ///< decoded
  std::string last_event_id;  ///< of a client that comes back to a stream
  std::vector<UniqueFd> descriptors;  ///< passed with SCM_RIGHTS
};

/// Where the text of a stream of server-sent events comes from. Called on the server's thread.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  /// What is new behind `cursor`, which moves on.
  virtual std::string read(u64& cursor) = 0;
};

struct Response {
  int status = 204;
  std::string body;
  std::string_view content_type = "application/json";  ///< of a body; a literal
  bool deprecated = false;  ///< says that the client used something deprecated
  bool close = false;       ///< ends the connection
  StreamSource* stream =
      nullptr;     ///< the body is all that comes from here until either side closes
  u64 cursor = 0;  ///< where it begins
};

/// A refusal: 400, and why.
Response fault(std::string_view message);

/// Appends status line, headers and body. `server` is the name in the Server header.
void append_response(std::string& out, const Response& response, std::string_view server);

/// What a client is sent that waits for leave to send its body.
void append_continue(std::string& out, std::string_view server);

}  // namespace mote::http
