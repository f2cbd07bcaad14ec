// SPDX-License-Identifier: Apache-2.0
#include "api/http/client.hpp"

#include <llhttp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "api/http/unix_address.hpp"
#include "core/clock.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace mote::http {
namespace {

constexpr u64 kNsPerMs = 1'000'000;
/// More than any answer of the API has.
constexpr std::size_t kMaxBody = 16 * kMiB;
/// A server that has no room for a connection keeps its client waiting.
constexpr time_t kConnectSeconds = 10;

/// From the bytes of a connection to one answer, by llhttp.
class AnswerParser {
 public:
  AnswerParser(Answer& answer, BodySink* stream);
  AnswerParser(const AnswerParser&) = delete;
  AnswerParser& operator=(const AnswerParser&) = delete;

  /// Whether there need be no more.
  Result<bool> feed(std::string_view bytes) {
    return outcome(::llhttp_execute(&parser_, bytes.data(), bytes.size()));
  }
  /// Whether the end of the connection is how the answer ends.
  bool ends_here() { return answer_.status != 0 && ::llhttp_finish(&parser_) == HPE_PAUSED; }
  /// Whether what comes goes to the stream.
  bool streams() const { return stream_ != nullptr && answer_.status == 200; }

 private:
  struct Callbacks;  // how llhttp reaches what is below

  Result<bool> outcome(llhttp_errno_t error) {
    if (is_too_long_) return Error::host("the answer is too long");
    if (error == HPE_OK) return false;
    if (error == HPE_PAUSED) return true;
    return Error::host(format("the answer is no HTTP (%s)", ::llhttp_get_error_reason(&parser_)));
  }
  int on_head() {
    answer_.status = parser_.status_code;
    return 0;
  }
  int on_body(std::string_view part) {
    if (streams()) return stream_->take(part) ? 0 : HPE_PAUSED;
    answer_.body += part;
    if (answer_.body.size() <= kMaxBody) return 0;
    is_too_long_ = true;
    return -1;
  }

  llhttp_t parser_{};
  Answer& answer_;
  BodySink* stream_;
  bool is_too_long_ = false;
};

struct AnswerParser::Callbacks {
  static AnswerParser& self(llhttp_t* parser) { return *static_cast<AnswerParser*>(parser->data); }
  static constexpr llhttp_settings_t kSettings = {
      .on_headers_complete = [](llhttp_t* parser) { return self(parser).on_head(); },
      .on_body = [](llhttp_t* parser, const char* at,
                    std::size_t size) { return self(parser).on_body({at, size}); },
      .on_message_complete = [](llhttp_t*) -> int { return HPE_PAUSED; },
  };
};

AnswerParser::AnswerParser(Answer& answer, BodySink* stream) : answer_(answer), stream_(stream) {
  ::llhttp_init(&parser_, HTTP_RESPONSE, &Callbacks::kSettings);
  parser_.data = this;
}

Result<UniqueFd> connect_to(const std::string& path) {
  const sockaddr_un address = TRY(unix_address(path));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return Error::from_errno(errno, "cannot make a Unix socket");
  const timeval limit{.tv_sec = kConnectSeconds, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (with_address(::connect, fd.get(), address) == 0) return fd;
  const int error = errno;
  if (error == EAGAIN) return Error::host("the server takes no connection");
  const bool is_nobody = error == ECONNREFUSED;
  return Error::from_errno(error, "cannot connect",
                           is_nobody ? "nobody listens there any more" : "");
}

/// False when the server does not want to hear it: then it may have said why.
Result<bool> send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return false;
    if (sent < 0 && errno == EAGAIN) return Error::host("the server does not read");
    if (sent < 0) return Error::from_errno(errno, "cannot send");
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Returns when there is something to read; an Error when there is not by `deadline_ns`.
Result<void> wait_until(int fd, std::optional<u64> deadline_ns, u64 limit_ms) {
  for (;;) {
    int wait_ms = -1;
    if (deadline_ns) {
      const u64 now_ns = clock_ns(CLOCK_MONOTONIC);
      const u64 left_ns = *deadline_ns > now_ns ? *deadline_ns - now_ns : 0;
      wait_ms = static_cast<int>(std::min<u64>(left_ns / kNsPerMs + (left_ns > 0), 1'000'000'000));
    }
    pollfd wish{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wish, 1, wait_ms);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return Error::from_errno(errno, "cannot wait");
    if (ready == 0) return Error::host(format("no answer within %lu ms", limit_ms));
  }
}

std::string request_text(const Call& call) {
  std::string text(method_name(call.method));
  text += " " + call.path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  if (!call.body.empty()) {
    text +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(call.body.size()) +
        "\r\n";
  }
  return text + "\r\n" + call.body;
}

Result<Answer> exchange(const std::string& socket, const Call& call, BodySink* stream) {
  const UniqueFd fd = TRY(connect_to(socket));
  const u64 deadline_ns = clock_ns(CLOCK_MONOTONIC) + call.answer_ms * kNsPerMs;
  TRY(send_all(fd.get(), request_text(call)));
  Answer answer;
  AnswerParser parser(answer, stream);
  std::array<char, 16 * kKiB> buffer;
  for (;;) {
    const auto limit = parser.streams() ? std::nullopt : std::optional(deadline_ns);
    TRY(wait_until(fd.get(), limit, call.answer_ms));
    const ssize_t size = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != ECONNRESET) return Error::from_errno(errno, "cannot read the answer");
    if (size > 0) {
      if (TRY(parser.feed({buffer.data(), static_cast<std::size_t>(size)}))) return answer;
      continue;
    }
    if (parser.ends_here()) return answer;
    return Error::host("the server has gone before all of its answer came");
  }
}

}  // namespace

Result<Answer> ask(const std::string& socket, const Call& call, BodySink* stream) {
  auto answer = exchange(socket, call, stream);
  if (answer) return answer;
  return std::move(answer).error().within("no answer from '" + socket + "'");
}

}  // namespace mote::http
