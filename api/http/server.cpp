// SPDX-License-Identifier: Apache-2.0
#include "api/http/server.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "core/clock.hpp"
#include "core/log.hpp"

namespace mote::http {
namespace {

constexpr u64 kNsPerMs = 1'000'000;
constexpr std::size_t kBufferSize = 16 * kKiB;
/// How long a server without a descriptor for a new client waits for one.
constexpr u64 kAcceptPauseNs = 100 * kNsPerMs;
constexpr std::string_view kFull = R"({ "error": "Too many open connections" })";

/// Says no to a client for which there is no room.
void turn_away(const UniqueFd& client, std::string_view server) {
  std::string text;
  append_response(text, {.status = 503, .body = std::string(kFull), .close = true}, server);
  [[maybe_unused]] const ssize_t sent =
      ::send(client.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::create(UnixListener listener, Handler& handler,
                                               ServerOptions options) {
  EventFd event = TRY(EventFd::create(true));
  return std::unique_ptr<Server>(
      new Server(std::move(listener), handler, std::move(options), std::move(event)));
}

void Server::respond(u64 ticket, Response response) {
  {
    const std::lock_guard guard(lock_);
    responses_.emplace_back(ticket, std::move(response));
  }
  event_.signal();
}

void Server::stop() {
  stopping_ = true;
  event_.signal();
}

void Server::run() {
  while (!stopping_) {
    const u64 now = clock_ns(CLOCK_MONOTONIC);
    poll_once(timeout_ms(now), now >= accept_from_ns_);
    expire(clock_ns(CLOCK_MONOTONIC));
    remove_closed();
  }
  drain();
}

/// Until the next thing is due; -1 when nothing is.
int Server::timeout_ms(u64 now) const {
  std::optional<u64> next;
  if (accept_from_ns_ > now) next = accept_from_ns_;
  for (const auto& connection : connections_) {
    const auto due = connection->deadline_ns();
    if (due) next = std::min(next.value_or(*due), *due);
  }
  if (!next) return -1;
  return *next <= now ? 0 : static_cast<int>((*next - now) / kNsPerMs) + 1;
}

void Server::poll_once(int timeout_ms, bool accepting) {
  polled_.clear();
  polled_.push_back({event_.fd(), POLLIN, 0});
  polled_.push_back({accepting ? listener_.fd() : -1, POLLIN, 0});
  for (const auto& connection : connections_) {
    polled_.push_back({connection->fd(), connection->events(), 0});
  }
  for (const Watched& watched : watched_) polled_.push_back({watched.fd, POLLIN, 0});
  if (::poll(polled_.data(), polled_.size(), timeout_ms) <= 0) return;
  const u64 now = clock_ns(CLOCK_MONOTONIC);
  if (polled_[0].revents != 0) {
    event_.drain();
    deliver(now);
  }
  tell_watchers();
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    serve(*connections_[i], polled_[2 + i].revents, now);
  }
  if (polled_[1].revents != 0) accept_client(now);
}

/// What was watched when the server went to sleep is at the end of what was polled.
void Server::tell_watchers() {
  const std::size_t first = 2 + connections_.size();
  for (std::size_t i = 0; first + i < polled_.size(); ++i) {
    if (polled_[first + i].revents != 0) watched_[i].watcher->on_readable(watched_[i].fd);
  }
}

void Server::serve(Connection& connection, short events, u64 now) {
  if (connection.is_closed() || events == 0) return;
  if ((events & (POLLIN | POLLOUT)) == 0) return connection.close();  // nobody is there any more
  if ((events & POLLOUT) != 0) connection.on_writable(service_, now);
  char buffer[kBufferSize];
  if ((connection.events() & events & POLLIN) != 0) {
    connection.on_readable(buffer, service_, now);
  }
}

void Server::deliver(u64 now) {
  std::vector<std::pair<u64, Response>> responses;
  {
    const std::lock_guard guard(lock_);
    responses.swap(responses_);
  }
  for (const auto& [ticket, response] : responses) {
    for (const auto& connection : connections_) {
      if (connection->on_response(ticket, response, service_, now)) break;
    }
  }
  for (const auto& connection : connections_) {
    if (connection->is_stream() && !connection->is_closed()) connection->feed_stream(now);
  }
}

/// One at a time: whoever left before the next one came is seen to have left.
void Server::accept_client(u64 now) {
  UniqueFd client(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    log(LogLevel::kWarn, "%s", Error::from_errno(errno, "cannot take a client").message().c_str());
    accept_from_ns_ = now + kAcceptPauseNs;
    return;
  }
  remove_closed();
  if (connections_.size() < options_.connections || make_room(now)) {
    connections_.push_back(std::make_unique<Connection>(std::move(client), options_, now));
  } else {
    turn_away(client, options_.name);
  }
}

/// Closes the connection that has been at rest longest, if that is long.
bool Server::make_room(u64 now) {
  Connection* idlest = nullptr;
  u64 before = now - std::min(now, options_.patience_ms * kNsPerMs) + 1;
  for (const auto& connection : connections_) {
    const auto since = connection->at_rest_since_ns();
    if (!since || *since >= before) continue;
    before = *since;
    idlest = connection.get();
  }
  if (idlest == nullptr) return false;
  idlest->close();
  remove_closed();
  return true;
}

void Server::expire(u64 now) {
  for (const auto& connection : connections_) {
    const auto due = connection->deadline_ns();
    if (due && *due <= now && !connection->is_closed()) connection->on_deadline(now);
  }
}

void Server::remove_closed() {
  std::erase_if(connections_, [&](const auto& connection) {
    if (!connection->is_closed()) return false;
    if (connection->is_stream()) --service_.streams;
    return true;
  });
}

/// What is still to be said is said, if the client listens.
void Server::drain() {
  const u64 end = clock_ns(CLOCK_MONOTONIC) + options_.drain_ms * kNsPerMs;
  deliver(clock_ns(CLOCK_MONOTONIC));
  while (true) {
    std::erase_if(connections_, [](const auto& connection) {
      return connection->is_closed() || !connection->has_output();
    });
    const u64 now = clock_ns(CLOCK_MONOTONIC);
    if (connections_.empty() || now >= end) break;
    polled_.clear();
    for (const auto& connection : connections_) polled_.push_back({connection->fd(), POLLOUT, 0});
    if (::poll(polled_.data(), polled_.size(), static_cast<int>((end - now) / kNsPerMs) + 1) < 0)
      continue;
    for (const auto& connection : connections_) connection->flush(clock_ns(CLOCK_MONOTONIC));
  }
  connections_.clear();
}

}  // namespace mote::http
