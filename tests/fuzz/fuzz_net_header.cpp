// SPDX-License-Identifier: Apache-2.0
// A frame's header against what was negotiated: the input is features, MTU, size and header.
#include "devices/virtio/net/header.hpp"

#include <cstring>

#include "core/check.hpp"

using namespace mote;
using namespace mote::virtio;

namespace {

struct Input {
  u64 features;
  u16 mtu;
  u16 size_high;
  u16 size_low;
  NetHeader header;
  u16 unused;
};

void check(const NetHeader& header, u64 size, const NetRules& rules) {
  CHECK(size >= kMinFrameSize && size <= kMaxFrameSize, "a frame has a legal size");
  CHECK((header.flags & ~3) == 0, "unknown flags are hidden");
  if ((header.flags & NetHeader::kNeedsCsum) != 0) {
    CHECK(header.csum_start + u64{header.csum_offset} + 2 <= size, "a checksum is in its frame");
  } else {
    CHECK(header.csum_start == 0 && header.csum_offset == 0, "no place without a checksum");
  }
  if (header.gso_type == NetHeader::kGsoNone) {
    CHECK(header.gso_size == 0 && header.hdr_len == 0, "no segments");
    const bool bound = (rules.features & net_feature::kMtu) != 0;
    CHECK(!bound || size <= rules.mtu + 18u, "a frame keeps the MTU");
  } else {
    CHECK(header.gso_size > 0 && header.hdr_len <= size, "segments of something");
    CHECK((rules.features & (net_feature::kHostOffloads | net_feature::kGuestOffloads)) != 0,
          "segments were negotiated");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t length) {
  Input input;
  if (length < sizeof(input)) return 0;
  std::memcpy(&input, bytes, sizeof(input));
  const NetRules rules{.features = input.features, .mtu = input.mtu};
  const u64 size = (u64{input.size_high} & 3) << 16 | input.size_low;
  for (const auto may_pass : {may_send, may_receive}) {
    NetHeader header = input.header;
    if (!may_pass(header, size, rules)) continue;
    check(header, size, rules);
    const NetHeader once = header;
    CHECK(may_pass(header, size, rules) && header == once, "what has passed passes again");
  }
  return 0;
}
