// SPDX-License-Identifier: Apache-2.0
// The client's limit of time, and a body that is not kept. What it does before servers of all kinds
// tests/api/ctl_test.py sees.
#include "api/http/client.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "api/http/unix_listener.hpp"
#include "tests/unit/api/http/server_fixture.hpp"

namespace mote::http {
namespace {

TEST(HttpClient, DoesNotWaitForEver) {
  const test::SocketFolder folder;
  const auto silent = UnixListener::create(folder.path());
  ASSERT_TRUE(silent);
  const auto answer = ask(folder.path(), {.path = "/", .answer_ms = 20});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message(),
            "no answer from '" + folder.path() + "': no answer within 20 ms");
  EXPECT_EQ(answer.error().fault(), Fault::kHost);
}

/// Keeps what comes until it has had enough.
class Guest final : public BodySink {
 public:
  bool take(std::string_view part) override {
    text += part;
    return text.size() < 10;
  }
  std::string text;
};

TEST(HttpClient, HandsAStreamOverUntilItIsNotWanted) {
  const test::SocketFolder folder;
  auto listener = UnixListener::create(folder.path());
  ASSERT_TRUE(listener);
  std::thread server([&] {
    pollfd wish{.fd = listener->fd(), .events = POLLIN, .revents = 0};
    ::poll(&wish, 1, -1);
    const UniqueFd client(::accept(listener->fd(), nullptr, nullptr));
    const std::string_view text = "HTTP/1.1 200 \r\n\r\nhello";
    while (::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  Guest guest;
  const auto answer = ask(folder.path(), {.path = "/events"}, &guest);
  server.join();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "");
  EXPECT_EQ(guest.text.substr(0, 5), "hello");
}

}  // namespace
}  // namespace mote::http
