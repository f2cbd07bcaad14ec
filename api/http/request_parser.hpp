// SPDX-License-Identifier: Apache-2.0
// From the bytes of a connection to requests [RFC 9112], by llhttp, within limits. Pure.
#pragma once

#include <llhttp.h>

#include <string>
#include <string_view>

#include "api/http/message.hpp"

namespace mote::http {

/// One per connection.
class RequestParser {
 public:
  explicit RequestParser(const Limits& limits);
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  enum class Progress {
    kMore,     ///< nothing to report
    kRequest,  ///< there is a request: `take` it before the next call
    kRefused,  ///< `problem` says why; the connection is of no further use
  };
  /// Takes some of the bytes, up to the end of a request at most; `taken` is how many. Call again
  /// with what is left.
  Progress feed(std::string_view bytes, std::size_t& taken);

  /// The request that `feed` reported, without its descriptors. `close` is whether its client wants
  /// the connection to end behind it.
  Request take(bool& close);
  /// Why the last bytes were refused, for the client.
  const std::string& problem() const { return problem_; }
  /// Whether part of a request is there.
  bool in_request() const { return total_ > 0; }
  /// True once for a request whose client waits for leave to send the body [RFC 9110 10.1.1].
  bool take_continue() { return !in_head_ && std::exchange(expects_continue_, false); }

 private:
  struct Callbacks;  // how llhttp reaches what is below

  int on_method_complete();
  int on_url(std::string_view part);
  int on_header_name(std::string_view part);
  int on_header_value(std::string_view part);
  int on_header_complete();
  int on_head_complete();
  int on_body(std::string_view part);
  int on_complete();

  void start();
  int refuse(std::string problem);

  const Limits& limits_;
  llhttp_t parser_{};
  Request request_;
  std::string name_;       // of the header line at hand
  std::string value_;      // likewise
  std::size_t total_ = 0;  // bytes of the request so far
  bool in_head_ = true;
  bool close_ = false;
  bool expects_continue_ = false;
  std::string problem_;
};

}  // namespace mote::http
