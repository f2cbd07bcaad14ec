// SPDX-License-Identifier: Apache-2.0
// A server on a thread of its own, and clients that say exactly what they are told to.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/http/server.hpp"

namespace mote::http::test {

/// A directory of its own, gone at the end with the socket in it.
class SocketFolder {
 public:
  SocketFolder() {
    char name[] = "/tmp/mote-api-XXXXXX";
    EXPECT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  ~SocketFolder() {
    ::unlink(path().c_str());
    ::rmdir(folder_.c_str());
  }
  SocketFolder(const SocketFolder&) = delete;
  SocketFolder& operator=(const SocketFolder&) = delete;
  std::string path() const { return folder_ + "/api.sock"; }

 private:
  std::string folder_;
};

/// A connection that is driven byte by byte. Every wait ends after `kPatienceMs` at the latest.
class Client {
 public:
  static constexpr int kPatienceMs = 30'000;

  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }
  void end_sending() const { ::shutdown(fd_.get(), SHUT_WR); }

  bool send(std::string_view text) const {
    return ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  /// One message with descriptors.
  bool send(std::string_view text, const std::vector<int>& fds) const {
    alignas(cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {};
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::copy(fds.begin(), fds.end(), reinterpret_cast<int*>(CMSG_DATA(header)));
    return ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }

  /// Reads until `text` has come; all that came, or what came before the end or the patience's.
  std::string read_until(std::string_view text) {
    while (received_.find(text) == std::string::npos && read_some()) {
    }
    return std::exchange(received_, {});
  }
  /// Reads to the end of the connection.
  std::string read_all() {
    while (read_some()) {
    }
    return std::exchange(received_, {});
  }
  /// Status and body of the next response.
  std::pair<int, std::string> response() {
    std::size_t head = std::string::npos;
    while ((head = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_some()) return {0, received_};
    }
    const std::size_t length = received_.find("Content-Length: ");
    const std::size_t size =
        length < head ? std::strtoul(received_.c_str() + length + 16, nullptr, 10) : 0;
    while (received_.size() < head + 4 + size) {
      if (!read_some()) return {0, received_};
    }
    const std::pair<int, std::string> result = {std::atoi(received_.c_str() + 9),
                                                received_.substr(head + 4, size)};
    received_.erase(0, head + 4 + size);
    return result;
  }
  int status(std::string_view request) {
    EXPECT_TRUE(send(request));
    return response().first;
  }

 private:
  bool read_some() {
    pollfd polled{fd_.get(), POLLIN, 0};
    if (::poll(&polled, 1, kPatienceMs) <= 0) return false;
    char buffer[4096];
    const ssize_t size = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
    if (size > 0) received_.append(buffer, static_cast<std::size_t>(size));
    return size > 0;
  }

  UniqueFd fd_;
  bool connected_ = false;
  std::string received_;
};

/// Answers as a test says.
class ScriptedHandler final : public Handler {
 public:
  using Script = std::function<std::optional<Response>(Request&, u64)>;
  explicit ScriptedHandler(Script script) : script_(std::move(script)) {}
  std::optional<Response> handle(Request request, u64 ticket) override {
    return script_(request, ticket);
  }

 private:
  Script script_;
};

class RunningServer {
 public:
  explicit RunningServer(ScriptedHandler::Script script, ServerOptions options = {})
      : handler_(std::move(script)) {
    auto listener = UnixListener::create(folder_.path());
    CHECK(listener.has_value(), "the folder is new");
    auto server = Server::create(*std::move(listener), handler_, std::move(options));
    CHECK(server.has_value(), "descriptors are there");
    server_ = *std::move(server);
    thread_ = std::thread([this] { server_->run(); });
  }
  ~RunningServer() { stop(); }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  void stop() {
    server_->stop();
    if (thread_.joinable()) thread_.join();
  }
  Server& server() { return *server_; }
  Client connect() const { return Client(folder_.path()); }

 private:
  SocketFolder folder_;
  ScriptedHandler handler_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace mote::http::test
