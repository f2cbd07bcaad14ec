// SPDX-License-Identifier: Apache-2.0
#include "guests/net_bench/settings.hpp"

#include "guests/kit/command_line.hpp"
#include "guests/kit/net.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"
#include "guests/kit/virtqueue.hpp"

namespace kit::net_bench {

Settings settings;

namespace {

bool read_mode(std::string_view line) {
  const std::string_view mode = find_value(line, "mode");
  const std::string_view wait = find_value(line, "wait");
  settings.sleeps = wait == "irq";
  bool is_known = wait.empty() || wait == "irq" || wait == "poll";
  if (mode == "rx") {
    settings.mode = Mode::kReceive;
  } else if (mode == "rtt") {
    settings.mode = Mode::kRoundTrip;
  } else if (mode == "echo") {
    settings.mode = Mode::kEcho;
  } else {
    settings.mode = Mode::kTransmit;
    is_known &= mode.empty() || mode == "tx";
  }
  return expect("net_bench.words", is_known, "mode=", mode, " wait=", wait);
}

}  // namespace

bool read_settings(std::string_view line) {
  if (!read_mode(line)) return false;
  settings.size = static_cast<u32>(find_number(line, "size", 64));
  settings.segment = static_cast<u16>(find_number(line, "gso", 0));
  settings.depth = static_cast<u16>(find_number(line, "depth", 256));
  settings.batch = static_cast<u16>(find_number(line, "batch", 32));
  settings.pieces = static_cast<u16>(find_number(line, "pieces", 1));
  settings.pairs = static_cast<u16>(find_number(line, "queues", 1));
  settings.buffer = static_cast<u32>(find_number(line, "buffer", 0));
  settings.ticks = find_number(line, "seconds", 2) * 1000 * tsc_khz();
  settings.frames_wanted = find_number(line, "frames", ~u64{0});
  settings.patience_us = find_number(line, "patience", 20) * 1'000'000;
  settings.to = frame::kReflector;
  const std::string_view to = find_value(line, "to");
  const bool knows_address = to.empty() || frame::parse_mac(to, settings.to);
  const bool is_sane = settings.size >= frame::kMinSize && settings.size <= frame::kMaxSize &&
                       settings.depth >= 1 && settings.depth <= virtio::Virtqueue::kMaxSize &&
                       settings.batch >= 1 && settings.pieces >= 1 && settings.pieces <= 64 &&
                       settings.pairs >= 1 && settings.pairs <= net::Interface::kMaxPairs &&
                       (settings.segment == 0 || settings.size > kTcpHeaders);
  return expect("net_bench.numbers", is_sane && knows_address, "a number is out of range");
}

}  // namespace kit::net_bench
