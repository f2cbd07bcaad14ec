// SPDX-License-Identifier: Apache-2.0
#include "api/http/message.hpp"

#include "core/json/writer.hpp"

namespace mote::http {
namespace {

/// The status line has no reason, but the space before it [RFC 9112 4].
void append_status(std::string& out, int status, std::string_view server, bool close) {
  out += "HTTP/1.1 ";
  out += std::to_string(status);
  out += " \r\nServer: ";
  out += server;
  out += close ? "\r\nConnection: close\r\n" : "\r\nConnection: keep-alive\r\n";
}

}  // namespace

std::string_view method_name(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
  }
  return "?";
}

Response fault(std::string_view message) {
  return {
      .status = 400,
      .body =
          json::Writer().begin_object().key("fault_message").string(message).end_object().take()};
}

void append_response(std::string& out, const Response& response, std::string_view server) {
  append_status(out, response.status, server, response.close || response.stream != nullptr);
  if (response.deprecated) out += "Deprecation: true\r\n";
  if (response.stream != nullptr) {
    out += "Content-Type: text/event-stream\r\nCache-Control: no-store\r\n";
  } else if (!response.body.empty()) {
    out += "Content-Type: ";
    out += response.content_type;
    out += "\r\nContent-Length: ";
    out += std::to_string(response.body.size());
    out += "\r\n";
  } else if (response.status != 204) {
    out += "Content-Length: 0\r\n";
  }
  out += "\r\n";
  out += response.body;
}

void append_continue(std::string& out, std::string_view server) {
  append_status(out, 100, server, false);
  out += "\r\n";
}

}  // namespace mote::http
