// SPDX-License-Identifier: Apache-2.0
// The serial port between a vCPU thread and the loop's thread.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "devices/minimal/serial.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"

namespace mote {
namespace {

constexpr u64 kData = 0, kIer = 1, kIir = 2, kFcr = 2, kLsr = 5;

/// A buffer of one FIFO between two threads.
struct SharedOutput final : SerialOutput {
  std::mutex lock;
  std::string waiting;
  std::size_t room() override {
    const std::lock_guard guard(lock);
    return Serial::kTransmitFifo - waiting.size();
  }
  void put(std::span<const std::byte> bytes) override {
    const std::lock_guard guard(lock);
    for (const std::byte byte : bytes) waiting += static_cast<char>(byte);
  }
  std::string take() {
    const std::lock_guard guard(lock);
    return std::exchange(waiting, {});
  }
};

struct SharedLine final : IrqLine {
  std::atomic<u32> rises{0};
  void set_level(bool high) override {
    if (high) ++rises;
  }
};

struct SharedListener final : InputListener {
  std::atomic<u32> calls{0};
  void on_input_room() override { ++calls; }
};

constexpr u32 kBytes = 20'000;

char nth(u32 i) {
  return static_cast<char>('a' + static_cast<int>(i % 23));
}

TEST(SerialThreads, PolledOutputArrivesWhole) {
  SharedLine line;
  SharedOutput output;
  Serial serial(line, output);
  std::thread vcpu([&serial] {
    for (u32 i = 0; i < kBytes; ++i) {
      while ((read8(serial, kLsr) & 0x20) == 0) std::this_thread::yield();
      write8(serial, kData, static_cast<u8>(nth(i)));
    }
  });
  std::string seen;
  while (seen.size() < kBytes) {
    const std::string part = output.take();
    seen += part;
    if (!part.empty()) serial.output_drained();
    if (part.empty()) std::this_thread::yield();
  }
  vcpu.join();
  for (u32 i = 0; i < kBytes; ++i) ASSERT_EQ(seen[i], nth(i));
}

TEST(SerialThreads, NoThriIsLostToASlowReader) {
  SharedLine line;
  SharedOutput output;
  Serial serial(line, output);
  std::thread vcpu([&serial, &line] {
    u32 handled = 0;
    u32 sent = 0;
    write8(serial, kIer, 0x02);
    while (sent < kBytes) {
      while (line.rises.load() == handled) std::this_thread::yield();  // until the next edge
      handled = line.rises.load();
      if ((read8(serial, kIir) & 0x0f) != 0x02) continue;
      for (u32 i = 0; i < Serial::kTransmitFifo && sent < kBytes; ++i) {
        write8(serial, kData, static_cast<u8>(nth(sent++)));
      }
    }
  });
  std::string seen;
  while (seen.size() < kBytes) {
    const std::string part = output.take();
    seen += part;
    if (!part.empty()) serial.output_drained();
    if (part.empty()) std::this_thread::yield();
  }
  vcpu.join();
  EXPECT_EQ(serial.counters().send_dropped, 0u);
  for (u32 i = 0; i < kBytes; ++i) ASSERT_EQ(seen[i], nth(i));
}

TEST(SerialThreads, InputArrivesWhole) {
  SharedLine line;
  SharedOutput output;
  SharedListener listener;
  Serial serial(line, output);
  serial.set_input_listener(listener);
  write8(serial, kFcr, 0x01);
  write8(serial, 4, 0x03);  // the driver is ready for input
  std::string seen;
  std::thread vcpu([&serial, &seen] {
    while (seen.size() < kBytes) {
      if ((read8(serial, kLsr) & 1) == 0) {
        std::this_thread::yield();
      } else {
        seen += static_cast<char>(read8(serial, kData));
      }
    }
  });
  u32 given = 0;
  u32 refusals = 0;
  while (given < kBytes) {
    const std::size_t room = std::min<std::size_t>(serial.input_room(), kBytes - given);
    if (room == 0) {
      // As the console does: nothing more until the listener hears.
      ++refusals;
      while (listener.calls.load() < refusals) std::this_thread::yield();
      continue;
    }
    std::string part;
    for (std::size_t i = 0; i < room; ++i) part += nth(given++);
    serial.receive(std::as_bytes(std::span(part)));
  }
  vcpu.join();
  for (u32 i = 0; i < kBytes; ++i) ASSERT_EQ(seen[i], nth(i));
}

}  // namespace
}  // namespace mote
