// SPDX-License-Identifier: Apache-2.0
#include "api/http/connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/passed_fds.hpp"

namespace mote::http {
namespace {

constexpr u64 kNsPerMs = 1'000'000;
/// What a client that does not read may leave unread before its next requests have to wait.
constexpr std::size_t kMaxOutput = 64 * kKiB;
/// More descriptors than a request may have, so that too many are seen as such.
constexpr std::size_t kMaxPassed = 32;

}  // namespace

bool Connection::is_clogged() const {
  return output_.size() > kMaxOutput;
}

short Connection::events() const {
  int events = 0;
  if (!peer_done_ && (lingering_ || stream_ != nullptr || !is_busy())) events |= POLLIN;
  if (!output_.empty()) events |= POLLOUT;
  return static_cast<short>(events);
}

std::optional<u64> Connection::deadline_ns() const {
  if (lingering_) return since_ns_ + options_.linger_ms * kNsPerMs;
  if (!output_.empty()) return since_ns_ + options_.response_ms * kNsPerMs;
  if (pending_ == 0 && parser_.in_request()) return since_ns_ + options_.request_ms * kNsPerMs;
  return std::nullopt;
}

std::optional<u64> Connection::at_rest_since_ns() const {
  if (lingering_) return 0;
  if (pending_ != 0 || stream_ != nullptr || !output_.empty()) return std::nullopt;
  return since_ns_;
}

void Connection::on_deadline(u64 now_ns) {
  if (lingering_ || !output_.empty()) return close();
  Response response = fault("The request took too long.");
  response.status = 408;
  refuse(std::move(response), now_ns);
  flush(now_ns);
}

void Connection::on_readable(std::span<char> buffer, Service& service, u64 now_ns) {
  std::size_t size = 0;
  if (!receive(buffer, size)) return;
  if (size == 0) {
    peer_done_ = true;  // what was asked before is still answered
  } else if (!lingering_ && stream_ == nullptr) {
    serve({buffer.data(), size}, service, now_ns);
  }
  settle(service, now_ns);
}

/// Whether there is something to look at: bytes, or (`size` 0) the end.
bool Connection::receive(std::span<char> buffer, std::size_t& size) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassed * sizeof(int))];
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t received = ::recvmsg(fd(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received < 0) {
    if (errno != EAGAIN && errno != EINTR) close();
    return false;
  }
  size = static_cast<std::size_t>(received);
  received_ += size;
  take_descriptors(message);
  return true;
}

/// The kernel ends what it returns behind the message that had descriptors: the request that they
/// belong to is the one with the last byte received.
void Connection::take_descriptors(msghdr& message) {
  for (UniqueFd& fd : take_passed_fds(message)) {
    if (passed_.size() < kMaxPassed) passed_.push_back({received_, std::move(fd)});
  }
}

void Connection::serve(std::string_view bytes, Service& service, u64 now_ns) {
  while (!bytes.empty() && !is_busy()) {
    const bool was_in_request = parser_.in_request();
    std::size_t taken = 0;
    const auto progress = parser_.feed(bytes, taken);
    parsed_ += taken;
    bytes.remove_prefix(taken);
    if (!was_in_request && parser_.in_request()) since_ns_ = now_ns;
    if (progress == RequestParser::Progress::kRefused) {
      refuse(fault(parser_.problem()), now_ns);
    } else if (progress == RequestParser::Progress::kRequest) {
      serve_request(service, now_ns);
    }
  }
  if (closing_) return;
  if (parser_.take_continue()) append_continue(output_, options_.name);
  input_ = bytes;
}

void Connection::serve_request(Service& service, u64 now_ns) {
  Request request = parser_.take(close_after_request_);
  while (!passed_.empty() && passed_.front().offset <= parsed_) {
    request.descriptors.push_back(std::move(passed_.front().fd));
    passed_.pop_front();
  }
  if (request.descriptors.size() > options_.limits.descriptors) {
    return queue(fault("More descriptors came with the request than any request takes."), service,
                 now_ns);
  }
  pending_ = service.next_ticket++;
  const std::optional<Response> response = service.handler.handle(std::move(request), pending_);
  if (!response) return;
  pending_ = 0;
  queue(*response, service, now_ns);
}

bool Connection::on_response(u64 ticket, const Response& response, Service& service, u64 now_ns) {
  if (pending_ != ticket) return false;
  pending_ = 0;
  queue(response, service, now_ns);
  settle(service, now_ns);
  return true;
}

void Connection::queue(const Response& response, Service& service, u64 now_ns) {
  if (response.stream != nullptr && service.streams >= options_.streams) {
    Response full = fault("Too many open streams of events.");
    full.status = 503;
    return queue(full, service, now_ns);
  }
  if (response.stream == nullptr && (response.close || close_after_request_)) {
    return refuse(response, now_ns);
  }
  append_response(output_, response, options_.name);
  since_ns_ = now_ns;
  if (response.stream == nullptr) return;
  ++service.streams;
  stream_ = response.stream;
  cursor_ = response.cursor;
  output_ += stream_->read(cursor_);
}

/// The last response of the connection.
void Connection::refuse(Response response, u64 now_ns) {
  response.close = true;
  append_response(output_, response, options_.name);
  since_ns_ = now_ns;
  closing_ = true;
  input_.clear();
  passed_.clear();
}

void Connection::feed_stream(u64 now_ns) {
  output_ += stream_->read(cursor_);
  flush(now_ns);
  if (is_clogged()) close();  // who does not read events is not waited for
}

/// Sends what can be sent, serves what waited for that, and ends what has come to its end.
void Connection::settle(Service& service, u64 now_ns) {
  flush(now_ns);
  while (!is_busy() && !input_.empty()) {
    const std::string waiting = std::exchange(input_, {});
    serve(waiting, service, now_ns);
    flush(now_ns);
  }
  const bool is_done = pending_ == 0 && input_.empty() && output_.empty();
  if (peer_done_ && (is_done || stream_ != nullptr)) close();
}

void Connection::flush(u64 now_ns) {
  while (!output_.empty() && !is_closed()) {
    const ssize_t sent = ::send(fd(), output_.data(), output_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return close();
    output_.erase(0, static_cast<std::size_t>(sent));
    since_ns_ = now_ns;
  }
  if (!closing_ || lingering_ || is_closed()) return;
  // Closed with something unread, it would look to the client as if nothing had been answered.
  ::shutdown(fd(), SHUT_WR);
  lingering_ = true;
}

}  // namespace mote::http
