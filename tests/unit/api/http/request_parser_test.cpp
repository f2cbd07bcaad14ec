// SPDX-License-Identifier: Apache-2.0
#include "api/http/request_parser.hpp"

#include <gtest/gtest.h>

namespace mote::http {
namespace {

struct Parsed {
  std::vector<Request> requests;
  std::vector<bool> close;
  std::string problem;
  int continues = 0;
};

/// Hands `bytes` over in pieces of `step` bytes.
Parsed parse(std::string_view bytes, std::size_t step, const Limits& limits = {}) {
  Parsed parsed;
  RequestParser parser(limits);
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      std::size_t taken = 0;
      const auto progress = parser.feed(piece, taken);
      if (progress == RequestParser::Progress::kRefused) {
        parsed.problem = parser.problem();
        return parsed;
      }
      EXPECT_GT(taken, 0U);
      piece.remove_prefix(taken);
      if (progress != RequestParser::Progress::kRequest) continue;
      bool close = false;
      parsed.requests.push_back(parser.take(close));
      parsed.close.push_back(close);
    }
    parsed.continues += parser.take_continue() ? 1 : 0;
  }
  return parsed;
}

class RequestParserTest : public testing::TestWithParam<std::size_t> {
 protected:
  static Parsed read(std::string_view bytes, const Limits& limits = {}) {
    return parse(bytes, GetParam(), limits);
  }
  static std::string problem(std::string_view bytes, const Limits& limits = {}) {
    return read(bytes, limits).problem;
  }
};

TEST_P(RequestParserTest, HasMethodPathAndBody) {
  const Parsed parsed =
      read("PUT /drives/rootfs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
  ASSERT_EQ(parsed.requests.size(), 1U) << parsed.problem;
  EXPECT_EQ(parsed.requests[0].method, Method::kPut);
  EXPECT_EQ(parsed.requests[0].path, "/drives/rootfs");
  EXPECT_EQ(parsed.requests[0].body, "hello");
  EXPECT_FALSE(parsed.close[0]);
}

TEST_P(RequestParserTest, TakesPipelinedRequestsOneByOne) {
  const Parsed parsed = read(
      "\r\nGET / HTTP/1.1\r\n\r\n"
      "PATCH /vm HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
      "\r\nDELETE /drives/a HTTP/1.1\r\n\r\n"
      "PUT /actions HTTP/1.1\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
      "GET /version HTTP/1.1\r\n\r\n");
  ASSERT_EQ(parsed.requests.size(), 5U) << parsed.problem;
  EXPECT_EQ(parsed.requests[0].path, "/");
  EXPECT_EQ(parsed.requests[1].method, Method::kPatch);
  EXPECT_EQ(parsed.requests[1].body, "{}");
  EXPECT_EQ(parsed.requests[2].method, Method::kDelete);
  EXPECT_EQ(parsed.requests[2].body, "");
  EXPECT_EQ(parsed.requests[3].body, "abcde");
  EXPECT_EQ(parsed.requests[4].path, "/version");
}

TEST_P(RequestParserTest, TakesThePathOfAnAbsoluteTarget) {
  const Parsed parsed = read(
      "GET http://localhost/machine-config HTTP/1.1\r\n\r\nGET http://localhost HTTP/1.1\r\n\r\n");
  ASSERT_EQ(parsed.requests.size(), 2U) << parsed.problem;
  EXPECT_EQ(parsed.requests[0].path, "/machine-config");
  EXPECT_EQ(parsed.requests[1].path, "/");
}

TEST_P(RequestParserTest, SaysWhetherTheClientWantsToEnd) {
  const Parsed parsed = read(
      "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
      "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(parsed.close, (std::vector<bool>{true, false, true})) << parsed.problem;
}

TEST_P(RequestParserTest, RemembersWhereAStreamWasLeft) {
  const Parsed parsed = read("GET /events HTTP/1.1\r\nLAST-EVENT-ID: 17\r\n\r\n");
  ASSERT_EQ(parsed.requests.size(), 1U) << parsed.problem;
  EXPECT_EQ(parsed.requests[0].last_event_id, "17");
}

TEST_P(RequestParserTest, AsksForTheBodyThatWaitsForLeave) {
  const std::string head = "PUT /vm HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(read(head).continues, 1);
  EXPECT_EQ(read("PUT /vm HTTP/1.1\r\nExpect: 100-continue\r\n\r\n").continues, 0);
  EXPECT_EQ(read("PUT /vm HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").continues,
            0);
  EXPECT_EQ(parse(head + "{}", 1000).continues, 0) << "the body was there already";
  EXPECT_EQ(problem("GET / HTTP/1.1\r\nExpect: miracles\r\n\r\n"),
            "Invalid header: the server meets no expectation but 100-continue.");
}

TEST_P(RequestParserTest, TakesNoPartInAnUpgrade) {
  const Parsed parsed = read(
      "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\nGET /version HTTP/1.1\r\n\r\n");
  ASSERT_EQ(parsed.requests.size(), 2U) << parsed.problem;
  EXPECT_EQ(parsed.requests[1].path, "/version");
}

TEST_P(RequestParserTest, RefusesOtherMethods) {
  const std::string text = "Invalid HTTP Method: Unsupported HTTP method.";
  for (const char* method : {"POST", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "NONSENSE"}) {
    EXPECT_EQ(problem(std::string(method) + " / HTTP/1.1\r\n\r\n"), text) << method;
  }
}

TEST_P(RequestParserTest, RefusesWhatIsNoRequest) {
  for (const char* bytes : {
           "GET /\r\n\r\n",
           "GET / HTTP/2.0\r\n\r\n",
           "GET / HTTP/1.1\r\nno colon\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
           "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
           "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
           "GET / HTTP/1.1\nHost: bare line feeds\n\n",
           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
           "\x16\x03\x01\x02\x00\x01",
           "{\"action_type\": \"InstanceStart\"}",
       }) {
    EXPECT_NE(problem(bytes), "") << bytes;
  }
}

TEST_P(RequestParserTest, KeepsToItsLimits) {
  const std::string path(1000, 'a');
  EXPECT_EQ(problem("GET /" + path + " HTTP/1.1\r\n\r\n"), "");
  EXPECT_EQ(problem("GET /" + path + path),
            "The request line is longer than the 1024 bytes allowed by server.");
  EXPECT_EQ(problem("GET / HTTP/1.1\r\nX: " + path + "\r\n\r\n"), "");
  const std::string long_header = "A header is longer than the 1024 bytes allowed by server.";
  EXPECT_EQ(problem("GET / HTTP/1.1\r\nX: " + path + path), long_header);
  EXPECT_EQ(problem("GET / HTTP/1.1\r\n" + path + path), long_header);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 20; ++i) many += "X: " + path + "\r\n";
  const std::string long_head = "The headers are longer than the 16384 bytes allowed by server.";
  EXPECT_EQ(problem(many + "\r\n"), long_head);
  EXPECT_EQ(problem("GET / HTTP/1.1\r\nX:" + std::string(20000, ' ')), long_head);
}

TEST_P(RequestParserTest, TakesABodyUpToItsLimit) {
  const std::string body(51200, 'b');
  const Parsed most = read("PUT / HTTP/1.1\r\nContent-Length: 51200\r\n\r\n" + body);
  ASSERT_EQ(most.requests.size(), 1U) << most.problem;
  EXPECT_EQ(most.requests[0].body, body);
  EXPECT_EQ(problem("PUT / HTTP/1.1\r\nContent-Length: 51201\r\n\r\n"),
            "Request payload with size 51201 is larger than the limit of 51200 allowed by server.");
  const std::string chunk = "2710\r\n" + std::string(0x2710, 'c') + "\r\n";
  const std::string chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk +
                              chunk + chunk + chunk + chunk;
  EXPECT_EQ(problem(chunked + "0\r\n\r\n"), "");
  EXPECT_NE(problem(chunked + chunk), "");
  // Chunks of one byte each have a limit of their own.
  std::string crumbs = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 10000; ++i) crumbs += "1;name=a-value-of-some-length-and-more-of-it\r\nx\r\n";
  EXPECT_EQ(problem(crumbs, {.framing = 64 * kKiB}),
            "The request is longer than the 65536 bytes allowed by server.");
}

INSTANTIATE_TEST_SUITE_P(Steps, RequestParserTest, testing::Values(1, 2, 7, 100, 1000000),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace mote::http
