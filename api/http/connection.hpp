// SPDX-License-Identifier: Apache-2.0
// One client of the server: what came from it, what goes to it, and how long it may take. Never
// blocks. Thread: the server's.
#pragma once

#include <sys/socket.h>

#include <deque>
#include <optional>
#include <span>
#include <string>

#include "api/http/message.hpp"
#include "api/http/request_parser.hpp"
#include "core/fd.hpp"

namespace mote::http {

/// Answers requests. On the server's thread.
class Handler {
 public:
  virtual ~Handler() = default;
  /// The answer, or nothing: then `Server::respond` brings it later, with this ticket.
  virtual std::optional<Response> handle(Request request, u64 ticket) = 0;
};

struct ServerOptions {
  Limits limits;
  std::string name = "Firecracker API";  ///< in the Server header
  std::size_t connections = 10;
  std::size_t streams = 4;   ///< connections that may be streams of events
  u64 request_ms = 10'000;   ///< from the first byte of a request to its last
  u64 response_ms = 10'000;  ///< without the client reading a byte
  u64 patience_ms = 2'000;   ///< a connection at rest this long gives way to a new client
  u64 linger_ms = 500;       ///< for a client that was refused to read why
  u64 drain_ms = 200;        ///< at the end, for what is to be sent
};

/// What a connection needs of its server to serve a request.
struct Service {
  Handler& handler;
  u64 next_ticket = 1;
  std::size_t streams = 0;  ///< that are open
};

class Connection {
 public:
  Connection(UniqueFd fd, const ServerOptions& options, u64 now_ns)
      : fd_(std::move(fd)), options_(options), parser_(options.limits), since_ns_(now_ns) {}

  int fd() const { return fd_.get(); }
  /// What to poll for.
  short events() const;
  /// Reads once, into `buffer`, and serves what is complete.
  void on_readable(std::span<char> buffer, Service& service, u64 now_ns);
  /// Sends what can be sent, and goes on with requests that waited for that.
  void on_writable(Service& service, u64 now_ns) { settle(service, now_ns); }
  /// The answer to the request with `ticket`; false when that is not of this connection.
  bool on_response(u64 ticket, const Response& response, Service& service, u64 now_ns);
  /// Sends what is new of a stream.
  void feed_stream(u64 now_ns);
  /// Sends what can be sent.
  void flush(u64 now_ns);
  void on_deadline(u64 now_ns);
  void close() { fd_.reset(); }

  bool is_closed() const { return !fd_; }
  bool is_stream() const { return stream_ != nullptr; }
  bool has_output() const { return !output_.empty(); }
  /// When `on_deadline` is due; none when the client may take its time.
  std::optional<u64> deadline_ns() const;
  /// Since when it has neither asked for anything nor been answered; none while it is served.
  std::optional<u64> at_rest_since_ns() const;

 private:
  struct Passed {
    u64 offset;  // the request that the byte before this belongs to gets the descriptor
    UniqueFd fd;
  };

  bool receive(std::span<char> buffer, std::size_t& size);
  void take_descriptors(msghdr& message);
  void serve(std::string_view bytes, Service& service, u64 now_ns);
  void serve_request(Service& service, u64 now_ns);
  void queue(const Response& response, Service& service, u64 now_ns);
  void refuse(Response response, u64 now_ns);
  void settle(Service& service, u64 now_ns);
  bool is_clogged() const;
  bool is_busy() const {
    return is_closed() || pending_ != 0 || closing_ || stream_ != nullptr || is_clogged();
  }

  UniqueFd fd_;
  const ServerOptions& options_;
  RequestParser parser_;
  std::deque<Passed> passed_;
  std::string input_;   // what came while it could not be served
  std::string output_;  // what is to be sent
  u64 received_ = 0;    // bytes
  u64 parsed_ = 0;      // bytes
  u64 pending_ = 0;     // the ticket of a request that is being served, or 0
  u64 since_ns_;        // when what it does now began
  StreamSource* stream_ = nullptr;
  u64 cursor_ = 0;
  bool close_after_request_ = false;
  bool closing_ = false;    // behind the output comes the end
  bool lingering_ = false;  // the end was sent; what still comes is thrown away
  bool peer_done_ = false;  // no more comes
};

}  // namespace mote::http
