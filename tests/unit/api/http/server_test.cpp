// SPDX-License-Identifier: Apache-2.0
// The server with clients of every kind: patient, slow, broken, many, and gone.
#include "api/http/server.hpp"

#include <condition_variable>

#include "tests/unit/api/http/server_fixture.hpp"

namespace mote::http {
namespace {

using test::Client;
using test::RunningServer;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\n\r\n";

std::optional<Response> echo(Request& request, u64) {
  if (request.path == "/empty") return Response{};
  return Response{
      .status = 200,
      .body = std::string(method_name(request.method)) + " " + request.path + " " + request.body};
}

TEST(HttpServer, AnswersAsItsClientsExpect) {
  const RunningServer server(&echo);
  Client client = server.connect();
  ASSERT_TRUE(client.send("PUT /empty HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"));
  EXPECT_EQ(client.read_until("\r\n\r\n"),
            "HTTP/1.1 204 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(client.send(kGet));
  EXPECT_EQ(client.read_until("GET / "),
            "HTTP/1.1 200 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n"
            "Content-Type: application/json\r\nContent-Length: 6\r\n\r\nGET / ");
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  const RunningServer server(&echo);
  Client client = server.connect();
  std::string all;
  for (int i = 0; i < 1000; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n";
  std::thread sender([&] { EXPECT_TRUE(client.send(all)); });
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(client.response().second, "GET /" + std::to_string(i) + " ");
  }
  sender.join();
}

TEST(HttpServer, WaitsForAReaderOfItsAnswers) {
  const std::string big(40'000, 'x');
  const RunningServer server([&](Request&, u64) { return Response{.status = 200, .body = big}; });
  Client client = server.connect();
  std::string all;
  for (int i = 0; i < 200; ++i) all += kGet;
  ASSERT_TRUE(client.send(all));
  Client other = server.connect();
  EXPECT_EQ(other.status(kGet), 200) << "nobody waits for the one that does not read";
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.response().second, big);
}

TEST(HttpServer, AnswersWhatWasAskedBeforeTheEnd) {
  const RunningServer server(&echo);
  Client client = server.connect();
  ASSERT_TRUE(client.send("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /half"));
  client.end_sending();
  const std::string all = client.read_all();
  EXPECT_NE(all.find("GET /a "), std::string::npos);
  EXPECT_NE(all.find("GET /b "), std::string::npos);
  EXPECT_EQ(all.find("half"), std::string::npos);
}

TEST(HttpServer, EndsWhenTheClientWantsIt) {
  const RunningServer server(&echo);
  Client client = server.connect();
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET /late HTTP/1.1\r\n\r\n"));
  const std::string all = client.read_all();
  EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(all.find("late"), std::string::npos);
}

TEST(HttpServer, GivesLeaveToSendABody) {
  const RunningServer server(&echo);
  Client client = server.connect();
  ASSERT_TRUE(client.send("PUT / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.read_until("\r\n\r\n"),
            "HTTP/1.1 100 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.status("{}"), 200);
}

TEST(HttpServer, RefusesAndEndsButLetsTheClientRead) {
  const RunningServer server(&echo);
  Client client = server.connect();
  ASSERT_TRUE(client.send("GET /first HTTP/1.1\r\n\r\nNONSENSE\r\n\r\n" + std::string(5000, 'x')));
  const std::string all = client.read_all();
  EXPECT_NE(all.find("GET /first "), std::string::npos);
  EXPECT_NE(all.find("HTTP/1.1 400 \r\n"), std::string::npos);
  EXPECT_NE(all.find("{\"fault_message\":\"Invalid HTTP"), std::string::npos);
}

TEST(HttpServer, TurnsAwayTheEleventh) {
  const RunningServer server(&echo);
  std::vector<Client> clients;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(clients.emplace_back(server.connect()).status(kGet), 200);
  }
  EXPECT_EQ(server.connect().read_all(),
            "HTTP/1.1 503 \r\nServer: Firecracker API\r\nConnection: close\r\nContent-Type: "
            "application/json\r\nContent-Length: 40\r\n\r\n{ \"error\": \"Too many open "
            "connections\" }");
  clients.pop_back();
  // The server sees the end of one before, or with, the beginning of the other.
  EXPECT_EQ(server.connect().status(kGet), 200);
}

TEST(HttpServer, LetsWhoIsAtRestGiveWay) {
  const RunningServer server(&echo, {.connections = 2, .patience_ms = 0});
  Client silent = server.connect();
  Client slow = server.connect();
  ASSERT_TRUE(slow.send("GET / HT"));
  Client third = server.connect();
  EXPECT_EQ(third.status(kGet), 200);
  EXPECT_EQ(silent.read_all(), "") << "it was at rest longest";
}

TEST(HttpServer, GivesUpOnAnEndlessRequest) {
  const RunningServer server(&echo, {.request_ms = 100, .linger_ms = 10});
  Client client = server.connect();
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nX: "));
  const std::string all = client.read_all();
  EXPECT_EQ(all.substr(0, 15), "HTTP/1.1 408 \r\n");
}

TEST(HttpServer, LeavesAnIdleClientInPeace) {
  const RunningServer server(&echo, {.request_ms = 50, .response_ms = 50});
  Client client = server.connect();
  EXPECT_EQ(client.status(kGet), 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(client.status(kGet), 200);
}

TEST(HttpServer, GivesUpOnAClientThatNeverReads) {
  const RunningServer server(
      [](Request&, u64) { return Response{.status = 200, .body = std::string(1 << 20, 'x')}; },
      {.response_ms = 100});
  Client client = server.connect();
  ASSERT_TRUE(client.send(kGet));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_LT(client.read_all().size(), std::size_t{1} << 20);
}

TEST(HttpServer, AnswersLater) {
  std::mutex lock;
  std::condition_variable changed;
  u64 open = 0;
  RunningServer server([&](Request& request, u64 ticket) -> std::optional<Response> {
    if (request.path != "/later") return echo(request, ticket);
    const std::lock_guard guard(lock);
    open = ticket;
    changed.notify_all();
    return std::nullopt;
  });
  const auto wait_for_ticket = [&] {
    std::unique_lock guard(lock);
    changed.wait(guard, [&] { return open != 0; });
    return std::exchange(open, 0);
  };
  Client client = server.connect();
  ASSERT_TRUE(client.send("GET /later HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n"));
  const u64 ticket = wait_for_ticket();
  Client other = server.connect();
  EXPECT_EQ(other.status(kGet), 200) << "others are served meanwhile";
  server.server().respond(ticket + 1000, {});  // nobody's
  server.server().respond(ticket, {.status = 200, .body = "late"});
  EXPECT_EQ(client.response().second, "late");
  EXPECT_EQ(client.response().second, "GET /next ");
  // A client that is gone when the answer comes.
  ASSERT_TRUE(client.send("GET /later HTTP/1.1\r\n\r\n"));
  const u64 lost = wait_for_ticket();
  client.close();
  server.server().respond(lost, {.status = 200});
  EXPECT_EQ(other.status(kGet), 200);
  // An answer that comes with the end of the server.
  ASSERT_TRUE(other.send("GET /later HTTP/1.1\r\n\r\n"));
  server.server().respond(wait_for_ticket(), {.status = 200, .body = "last"});
  server.stop();
  EXPECT_EQ(other.response().second, "last");
}

TEST(HttpServer, HandsDescriptorsToTheirRequest) {
  const RunningServer server([](Request& request, u64) {
    std::string body = request.path + ":";
    for (const UniqueFd& fd : request.descriptors) {
      char byte = '?';
      const bool closes = (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
      body += closes && ::pread(fd.get(), &byte, 1, 0) == 1 ? byte : '!';
    }
    return Response{.status = 200, .body = body};
  });
  std::vector<int> files;
  for (const char letter : {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'}) {
    files.push_back(::open("/tmp", O_TMPFILE | O_RDWR, 0600));
    ASSERT_EQ(::pwrite(files.back(), &letter, 1, 0), 1);
  }
  Client client = server.connect();
  // All of it may come with one read: the descriptors are the second one's.
  ASSERT_TRUE(client.send("GET /1 HTTP/1.1\r\n\r\n"));
  ASSERT_TRUE(client.send("GET /2 HTTP/1.1\r\n\r\n", {files[0], files[1]}));
  ASSERT_TRUE(client.send("GET /3 HTTP/1.1\r\n\r\nGET /4 HT", {files[2]}));
  ASSERT_TRUE(client.send("TP/1.1\r\n\r\n"));
  EXPECT_EQ(client.response().second, "/1:");
  EXPECT_EQ(client.response().second, "/2:ab");
  EXPECT_EQ(client.response().second, "/3:");
  EXPECT_EQ(client.response().second, "/4:c");
  ASSERT_TRUE(client.send("GET /5 HTTP/1.1\r\n\r\n", files));
  EXPECT_EQ(client.response().first, 400) << "nine are too many";
  ASSERT_TRUE(client.send("GET /6 HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(client.response().second, "/6:");
  for (const int fd : files) ::close(fd);
}

/// Counts up; each number is an event.
class Numbers final : public StreamSource {
 public:
  std::string read(u64& cursor) override {
    std::string text;
    for (; cursor < end; ++cursor) text += "data: " + std::to_string(cursor) + padding + "\n\n";
    return text;
  }
  std::atomic<u64> end{2};
  std::string padding;
};

TEST(HttpServer, StreamsUntilEitherSideCloses) {
  Numbers numbers;
  RunningServer server(
      [&](Request& request, u64) {
        const u64 from = std::strtoul(request.last_event_id.c_str(), nullptr, 10);
        return Response{.status = 200, .stream = &numbers, .cursor = from};
      },
      {.streams = 2});
  Client first = server.connect();
  ASSERT_TRUE(first.send(kGet));
  EXPECT_EQ(first.read_until("data: 1\n\n"),
            "HTTP/1.1 200 \r\nServer: Firecracker API\r\nConnection: close\r\nContent-Type: "
            "text/event-stream\r\nCache-Control: no-store\r\n\r\ndata: 0\n\ndata: 1\n\n");
  Client second = server.connect();
  ASSERT_TRUE(second.send("GET / HTTP/1.1\r\nLast-Event-ID: 1\r\n\r\n"));
  EXPECT_EQ(second.read_until("data: 1\n\n").find("data: 0"), std::string::npos);
  EXPECT_EQ(server.connect().status(kGet), 503) << "a third stream is too much";
  numbers.end = 3;
  server.server().wake();
  EXPECT_EQ(first.read_until("data: 2\n\n"), "data: 2\n\n");
  EXPECT_EQ(second.read_until("data: 2\n\n"), "data: 2\n\n");
  second.close();
  numbers.end = 4;
  server.server().wake();
  EXPECT_EQ(first.read_until("data: 3\n\n"), "data: 3\n\n");
  Client third = server.connect();
  EXPECT_EQ(third.status(kGet), 200) << "the place of the second is free";
  numbers.end = 5;
  server.stop();
  EXPECT_EQ(first.read_all(), "data: 4\n\n") << "what is left comes before the end";
}

TEST(HttpServer, DropsAStreamThatNobodyReads) {
  Numbers numbers;
  numbers.padding.assign(10'000, 'x');
  RunningServer server([&](Request&, u64) { return Response{.status = 200, .stream = &numbers}; });
  Client client = server.connect();
  ASSERT_TRUE(client.send(kGet));
  client.read_until("data: 1");
  for (u64 end = 3; end < 1000; ++end) {
    numbers.end = end;
    server.server().wake();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  EXPECT_LT(client.read_all().size(), 9'000'000U);
}

/// Counts what comes through a pipe.
class CountingWatcher final : public Watcher {
 public:
  std::atomic<int> bytes{0};
  void on_readable(int fd) override {
    char byte = 0;
    if (::read(fd, &byte, 1) == 1) ++bytes;
  }
};

TEST(HttpServer, TellsWhoWatchesADescriptor) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  CountingWatcher watcher;
  Server* watching = nullptr;
  RunningServer server([&](Request& request, u64) {
    if (request.path == "/watch") watching->watch(reader.get(), watcher);
    if (request.path == "/unwatch") watching->unwatch(reader.get());
    return Response{.status = 204};
  });
  watching = &server.server();
  Client client = server.connect();
  EXPECT_EQ(client.status("PUT /watch HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), 204);
  for (int count = 1; count <= 3; ++count) {
    ASSERT_EQ(::write(writer.get(), "x", 1), 1);
    for (int tries = 0; tries < 3000 && watcher.bytes < count; ++tries) ::usleep(1000);
    EXPECT_EQ(watcher.bytes, count);
  }
  EXPECT_EQ(client.status("PUT /unwatch HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), 204);
  ASSERT_EQ(::write(writer.get(), "x", 1), 1);
  EXPECT_EQ(client.status(kGet), 204);
  EXPECT_EQ(watcher.bytes, 3);
}

TEST(HttpServer, OutlivesClientsThatVanish) {
  const RunningServer server(&echo);
  for (int i = 0; i < 200; ++i) {
    Client client = server.connect();
    ASSERT_TRUE(client.connected());
    if (i % 2 == 0) client.send(kGet);
    if (i % 3 == 0) client.send("PUT / HTTP/1.1\r\nContent-Le");
  }
  // A full backlog of corpses takes a moment.
  Client last = server.connect();
  while (last.status(kGet) == 503) last = server.connect();
}

TEST(HttpServer, StopsWithClientsConnected) {
  RunningServer server(&echo);
  Client idle = server.connect();
  EXPECT_EQ(idle.status(kGet), 200);
  Client slow = server.connect();
  ASSERT_TRUE(slow.send("GET"));
  server.stop();
  EXPECT_EQ(idle.read_all(), "");
}

}  // namespace
}  // namespace mote::http
