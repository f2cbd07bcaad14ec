// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over a Unix socket, for a few clients of whom each may be slow, broken or hostile
// without the others noticing. All of it runs on one thread that waits in poll(2) alone.
#pragma once

#include <poll.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "api/http/connection.hpp"
#include "api/http/unix_listener.hpp"
#include "core/event_fd.hpp"
#include "core/result.hpp"

namespace mote::http {

/// Who is told of descriptors that the server watches besides its own.
class Watcher {
 public:
  virtual ~Watcher() = default;
  /// `fd` can be read. On the server's thread.
  virtual void on_readable(int fd) = 0;
};

class Server {
 public:
  /// `handler` outlives the server.
  static Result<std::unique_ptr<Server>> create(UnixListener listener, Handler& handler,
                                                ServerOptions options = {});

  /// Has `watcher` told when `fd` can be read, for as long as it can. Before `run`, or on its
  /// thread.
  void watch(int fd, Watcher& watcher) { watched_.push_back({fd, &watcher}); }
  /// No longer. As `watch`, but not by a Watcher.
  void unwatch(int fd) {
    std::erase_if(watched_, [fd](const Watched& watched) { return watched.fd == fd; });
  }

  /// Serves until `stop`, then sends what is left for as long as `drain_ms` and closes all
  /// connections. A client that is not there, or does not read, holds up nobody.
  void run();

  /// Answers a request that the handler left open. Any thread; a client that is gone is no error.
  void respond(u64 ticket, Response response);
  /// There is something new to read from a StreamSource. Any thread.
  void wake() { event_.signal(); }
  /// Any thread.
  void stop();

  UnixListener& listener() { return listener_; }

 private:
  Server(UnixListener listener, Handler& handler, ServerOptions options, EventFd event)
      : listener_(std::move(listener)),
        options_(std::move(options)),
        service_{handler},
        event_(std::move(event)) {}

  int timeout_ms(u64 now_ns) const;
  void poll_once(int timeout_ms, bool accepting);
  void tell_watchers();
  void serve(Connection& connection, short events, u64 now_ns);
  void accept_client(u64 now_ns);
  bool make_room(u64 now_ns);
  void deliver(u64 now_ns);
  void expire(u64 now_ns);
  void remove_closed();
  void drain();

  UnixListener listener_;
  const ServerOptions options_;
  Service service_;
  EventFd event_;
  std::atomic<bool> stopping_{false};
  std::mutex lock_;
  std::vector<std::pair<u64, Response>> responses_;  // by ticket; guarded by lock_
  std::vector<std::unique_ptr<Connection>> connections_;
  struct Watched {
    int fd;
    Watcher* watcher;
  };
  std::vector<Watched> watched_;
  std::vector<pollfd> polled_;  // our own two, the connections, what is watched
  u64 accept_from_ns_ = 0;      // no sooner, for want of descriptors
};

}  // namespace mote::http
