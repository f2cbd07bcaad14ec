// SPDX-License-Identifier: Apache-2.0
// The REST API: turns requests into commands, has the controller carry them out, and answers.
// Thread: the server's.
#pragma once

#include <string>

#include "api/controller.hpp"
#include "api/events.hpp"
#include "api/http/server.hpp"

namespace mote::api {

/// What a client is told of the process.
struct Identity {
  std::string id = "anonymous-instance";
  std::string app_name = "Mote";
  std::string version;              ///< Mote's own
  std::string firecracker_version;  ///< the one whose API this is
};

class Api final : public http::Handler {
 public:
  /// `controller` outlives this.
  Api(Identity identity, Controller& controller)
      : identity_(std::move(identity)), controller_(controller) {}

  /// Before the server runs.
  void attach(http::Server& server) {
    server_ = &server;
    events_.attach(server);
  }
  EventLog& events() { return events_; }

  std::optional<http::Response> handle(http::Request request, u64 ticket) override;

 private:
  struct Execute;  // one function for each command

  std::optional<http::Response> answer(http::Request& request, u64 ticket);
  std::string instance_json();
  std::string version_json() const;
  std::string metrics_text();

  Identity identity_;
  Controller& controller_;
  http::Server* server_ = nullptr;
  EventLog events_;
  u64 requests_ = 0;
  u64 refused_ = 0;
};

}  // namespace mote::api
