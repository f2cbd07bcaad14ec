// SPDX-License-Identifier: Apache-2.0
// Bytes of a connection: the same requests come out of them however they are cut into pieces, and
// none is beyond the limits.
#include "api/http/request_parser.hpp"

using namespace mote;

namespace {

/// Small, so that inputs reach them.
constexpr http::Limits kLimits = {.line = 64, .head = 256, .body = 32, .framing = 1024};

/// The requests and the problem, in pieces of `step` bytes.
std::string parse(std::string_view bytes, std::size_t step) {
  std::string seen;
  http::RequestParser parser(kLimits);
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      std::size_t taken = 0;
      const auto progress = parser.feed(piece, taken);
      CHECK(taken <= piece.size(), "only what is there is taken");
      piece.remove_prefix(taken);
      if (progress == http::RequestParser::Progress::kRefused) {
        CHECK(!parser.problem().empty(), "there is a reason");
        return seen + "refused";
      }
      CHECK(taken > 0, "it goes on");
      if (progress != http::RequestParser::Progress::kRequest) continue;
      bool close = false;
      const http::Request request = parser.take(close);
      CHECK(!parser.in_request(), "the next one has not begun");
      CHECK(request.path.size() <= kLimits.line && request.body.size() <= kLimits.body, "limits");
      seen += std::string(http::method_name(request.method)) + " " + request.path + " " +
              request.body + (close ? " close\n" : "\n");
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const std::string bytes(data, data + size);
  const std::string whole = parse(bytes, bytes.size());
  CHECK(parse(bytes, 1) == whole && parse(bytes, 7) == whole, "pieces make no difference");
  return 0;
}
