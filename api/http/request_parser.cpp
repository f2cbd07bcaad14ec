// SPDX-License-Identifier: Apache-2.0
#include "api/http/request_parser.hpp"

#include <strings.h>

#include "core/text.hpp"

namespace mote::http {
namespace {

constexpr std::string_view kBadMethod = "Invalid HTTP Method: Unsupported HTTP method.";

/// Letters of any case are the same in names of headers and in some values.
bool same(const std::string& text, const char* word) {
  return ::strcasecmp(text.c_str(), word) == 0;
}

/// The path of a request target: all of the usual form, and what is behind the authority of an
/// absolute one [RFC 9112 3.2].
std::string_view path_of(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) return target;
  const std::size_t slash = target.find('/', scheme + 3);
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

}  // namespace

struct RequestParser::Callbacks {
  template <int (RequestParser::*F)()>
  static int call(llhttp_t* parser) {
    return (static_cast<RequestParser*>(parser->data)->*F)();
  }
  template <int (RequestParser::*F)(std::string_view)>
  static int pass(llhttp_t* parser, const char* at, std::size_t size) {
    return (static_cast<RequestParser*>(parser->data)->*F)({at, size});
  }
  static constexpr llhttp_settings_t kSettings = {
      .on_url = &pass<&RequestParser::on_url>,
      .on_header_field = &pass<&RequestParser::on_header_name>,
      .on_header_value = &pass<&RequestParser::on_header_value>,
      .on_headers_complete = &call<&RequestParser::on_head_complete>,
      .on_body = &pass<&RequestParser::on_body>,
      .on_message_complete = &call<&RequestParser::on_complete>,
      .on_method_complete = &call<&RequestParser::on_method_complete>,
      .on_header_value_complete = &call<&RequestParser::on_header_complete>,
  };
};

RequestParser::RequestParser(const Limits& limits) : limits_(limits) {
  start();
}

void RequestParser::start() {
  ::llhttp_init(&parser_, HTTP_REQUEST, &Callbacks::kSettings);
  parser_.data = this;
  request_ = {};
  name_.clear();
  value_.clear();
  total_ = 0;
  in_head_ = true;
  close_ = false;
  expects_continue_ = false;
}

RequestParser::Progress RequestParser::feed(std::string_view bytes, std::size_t& taken) {
  taken = 0;
  if (!problem_.empty()) return Progress::kRefused;
  if (total_ == 0) {
    // Empty lines before a request are nobody's [RFC 9112 2.2].
    taken = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
    bytes.remove_prefix(taken);
    if (bytes.empty()) return Progress::kMore;
  }
  if (in_head_ && total_ >= limits_.head) {
    refuse(format("The headers are longer than the %zu bytes allowed by server.", limits_.head));
    return Progress::kRefused;
  }
  if (total_ >= limits_.framing) {
    refuse(format("The request is longer than the %zu bytes allowed by server.", limits_.framing));
    return Progress::kRefused;
  }
  // No more than a head may have, so that no limit is overrun by much.
  bytes = bytes.substr(0, limits_.head - (in_head_ ? total_ : 0));
  const llhttp_errno_t error = ::llhttp_execute(&parser_, bytes.data(), bytes.size());
  const bool complete = error == HPE_PAUSED;
  const std::size_t used =
      complete ? static_cast<std::size_t>(::llhttp_get_error_pos(&parser_) - bytes.data())
               : bytes.size();
  taken += used;
  total_ += used;
  if (error == HPE_OK) return Progress::kMore;
  if (complete) return Progress::kRequest;
  if (problem_.empty() && error == HPE_INVALID_METHOD) refuse(std::string(kBadMethod));
  if (problem_.empty()) {
    refuse(format("Invalid HTTP request: %s.", ::llhttp_get_error_reason(&parser_)));
  }
  return Progress::kRefused;
}

Request RequestParser::take(bool& close) {
  close = close_;
  Request request = std::move(request_);
  start();
  return request;
}

int RequestParser::refuse(std::string problem) {
  problem_ = std::move(problem);
  return -1;
}

int RequestParser::on_method_complete() {
  switch (parser_.method) {
    case HTTP_GET:
      request_.method = Method::kGet;
      return 0;
    case HTTP_PUT:
      request_.method = Method::kPut;
      return 0;
    case HTTP_PATCH:
      request_.method = Method::kPatch;
      return 0;
    case HTTP_DELETE:
      request_.method = Method::kDelete;
      return 0;
    default:
      return refuse(std::string(kBadMethod));
  }
}

int RequestParser::on_url(std::string_view part) {
  request_.path += part;
  // Method and version have two spaces between them and the target.
  const std::size_t line = method_name(request_.method).size() + request_.path.size() + 10;
  if (line <= limits_.line) return 0;
  return refuse(
      format("The request line is longer than the %zu bytes allowed by server.", limits_.line));
}

int RequestParser::on_header_name(std::string_view part) {
  name_ += part;
  return name_.size() <= limits_.line ? 0 : on_header_value({});
}

int RequestParser::on_header_value(std::string_view part) {
  value_ += part;
  if (name_.size() + value_.size() + 2 <= limits_.line) return 0;
  return refuse(format("A header is longer than the %zu bytes allowed by server.", limits_.line));
}

int RequestParser::on_header_complete() {
  if (same(name_, "expect")) {
    if (!same(value_, "100-continue")) {
      return refuse("Invalid header: the server meets no expectation but 100-continue.");
    }
    expects_continue_ = true;
  } else if (same(name_, "last-event-id")) {
    request_.last_event_id = value_;
  }
  name_.clear();
  value_.clear();
  return 0;
}

int RequestParser::on_head_complete() {
  in_head_ = false;
  if (parser_.http_major != 1) {
    return refuse("Unsupported HTTP version: the server speaks HTTP/1.0 and HTTP/1.1.");
  }
  parser_.upgrade = 0;  // an offer that nobody has to take [RFC 9110 7.8]
  const bool has_body = (parser_.flags & F_CHUNKED) != 0 || parser_.content_length > 0;
  expects_continue_ = expects_continue_ && has_body && parser_.http_minor > 0;
  if ((parser_.flags & F_CHUNKED) == 0 && parser_.content_length > limits_.body) {
    return refuse(
        format("Request payload with size %lu is larger than the limit of %zu allowed by server.",
               parser_.content_length, limits_.body));
  }
  return 0;
}

int RequestParser::on_body(std::string_view part) {
  expects_continue_ = false;
  const std::size_t size = request_.body.size() + part.size();
  if (size > limits_.body) {
    return refuse(
        format("Request payload with size %zu is larger than the limit of %zu allowed by server.",
               size, limits_.body));
  }
  request_.body += part;
  return 0;
}

int RequestParser::on_complete() {
  close_ = ::llhttp_should_keep_alive(&parser_) == 0;
  expects_continue_ = false;
  request_.path = std::string(path_of(request_.path));
  return HPE_PAUSED;
}

}  // namespace mote::http
