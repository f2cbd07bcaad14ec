// SPDX-License-Identifier: Apache-2.0
// A disk behind its registers, on a loop with real files: resets while requests are on their way,
// and a state that another disk takes over.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <thread>

#include "devices/virtio/block/block.hpp"
#include "devices/virtio/features.hpp"
#include "devices/virtio/mmio.hpp"
#include "tests/unit/core/loop_thread.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"
#include "tests/unit/devices/virtio/test_driver.hpp"

namespace mote::virtio {
namespace {

constexpr u64 kHeaders = 0x20000, kStatuses = 0x30000, kBuffers = 0x100000;
constexpr u32 kRead = 0, kWriteOut = 1;

struct Header {
  u32 type, reserved;
  u64 sector;
};

/// A file of 4 MiB whose sector n is full of the byte n modulo 251.
struct Image {
  char path[32] = "/tmp/mote-disk-XXXXXX";
  Image() {
    const UniqueFd fd(mkstemp(path));
    std::array<u8, 512> sector{};
    for (u64 n = 0; n < 8192; ++n) {
      sector.fill(static_cast<u8>(n % 251));
      CHECK(::write(fd.get(), sector.data(), 512) == 512, "4 MiB can be written");
    }
  }
  ~Image() { ::unlink(path); }
  Image(const Image&) = delete;
};

/// One disk with its loop.
struct Machine {
  Machine(const Image& image, const GuestMemory& memory) {
    EventLoop* const loops[] = {&loop.loop()};
    BlockOptions options;
    options.id = "test";
    auto opened = BlockImage::open(image.path, false, false);
    CHECK(opened.has_value(), "the image can be opened");
    auto made = Block::create(options, *std::move(opened), memory, loops);
    CHECK(made.has_value(), "the disk can be opened");
    disk = *std::move(made);
    mmio.emplace(memory, *disk, line);
    loop.start();
  }
  ~Machine() { loop.stop(); }

  void bring_up(const QueueLayout& layout) {
    set(0x070, 3);
    set(0x024, 1);
    set(0x020, 1);
    set(0x024, 0);
    set(0x020, static_cast<u32>(feature::kEventIdx));
    set(0x070, 11);
    ASSERT_EQ(get(0x070), 11u);
    set(0x030, 0);
    set(0x038, layout.size);
    set(0x080, static_cast<u32>(layout.descriptors.raw()));
    set(0x090, static_cast<u32>(layout.available.raw()));
    set(0x0a0, static_cast<u32>(layout.used.raw()));
    set(0x044, 1);
    set(0x070, 15);
  }
  u32 get(u64 offset) { return static_cast<u32>(read_le(*mmio, offset, 4)); }
  void set(u64 offset, u32 value) { write_le(*mmio, offset, 4, value); }

  test::LoopThread loop{LoopOptions{.operations = 256, .files = Block::kFilesPerLoop}};
  FakeLine line;
  std::unique_ptr<Block> disk;
  std::optional<MmioTransport> mmio;
};

struct BlockMmioThreadsTest : testing::Test {
  Image image;
  GuestMemory memory = test::make_ram(8 * kMiB);

  /// Offers one request of a page; `slot` names its buffers.
  void request(test::TestDriver& driver, u32 slot, u32 type, u64 sector) {
    const u16 direction = type == kRead ? test::kWrite : u16{0};
    driver.put(kHeaders + 16 * slot, Header{type, 0, sector});
    driver.put(kStatuses + slot, u8{0xff});
    const auto head = driver.add({{kHeaders + 16 * slot, 16},
                                  {kBuffers + 4096 * slot, 4096, direction},
                                  {kStatuses + slot, 1, test::kWrite}});
    ASSERT_TRUE(head);
  }
  u8 byte(u64 address) {
    u8 value = 0;
    CHECK(memory.load(Gpa(address), value), "in RAM");
    return value;
  }
  static void await(test::TestDriver& driver, u32 count) {
    const auto end = std::chrono::steady_clock::now() + test::kPatience;
    for (u32 taken = 0; taken < count;) {
      if (driver.take()) {
        ++taken;
      } else {
        ASSERT_LT(std::chrono::steady_clock::now(), end);
        std::this_thread::yield();
      }
    }
  }
};

TEST_F(BlockMmioThreadsTest, AResetReturnsWhenNoBufferIsInUse) {
  Machine machine(image, memory);
  for (int round = 0; round < 20; ++round) {
    CHECK(memory.slice(Gpa(0), 0x20000)->clear(0, 0x20000), "rings start as zeros");
    test::TestDriver driver(memory, 256);
    machine.bring_up(driver.layout());
    for (u32 slot = 0; slot < 85; ++slot) request(driver, slot, kRead, 8 * slot);
    if (driver.publish()) machine.set(0x050, 0);
    if (round % 2 != 0) std::this_thread::sleep_for(std::chrono::microseconds(50 * round));
    machine.set(0x070, 0);
    const u16 used = driver.used_index();
    CHECK(memory.slice(Gpa(kBuffers), 85 * 4096)->clear(0, 85 * 4096), "the driver's again");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(driver.used_index(), used);
    for (u64 at = kBuffers; at < kBuffers + 85 * 4096; at += 512) ASSERT_EQ(byte(at), 0);
    EXPECT_EQ(machine.get(0x070), 0u);
  }
  CHECK(memory.slice(Gpa(0), 0x20000)->clear(0, 0x20000), "rings start as zeros");
  test::TestDriver driver(memory, 256);
  machine.bring_up(driver.layout());
  request(driver, 0, kRead, 8);
  if (driver.publish()) machine.set(0x050, 0);
  await(driver, 1);
  EXPECT_EQ(byte(kStatuses), 0);
  EXPECT_EQ(byte(kBuffers), 8);
  EXPECT_EQ(byte(kBuffers + 4095), 15);
}

TEST_F(BlockMmioThreadsTest, AResizeBeforeDriverOkIsSeenByItsInterruptAndGeneration) {
  Machine machine(image, memory);
  machine.set(0x070, 3);
  const u64 before = read_le(*machine.mmio, 0x100, 8);
  const u32 generation = machine.get(0x0fc);
  ASSERT_EQ(::truncate(image.path, 8 * kMiB), 0);
  machine.disk->look_at_size();
  machine.loop.call([] {});
  EXPECT_EQ(machine.get(0x060), 0u);
  EXPECT_NE(machine.get(0x0fc), generation);
  test::TestDriver driver(memory, 256);
  machine.bring_up(driver.layout());
  EXPECT_EQ(machine.get(0x060), 2u);
  EXPECT_TRUE(machine.line.high);
  EXPECT_EQ(read_le(*machine.mmio, 0x100, 8), 2 * before);
}

TEST_F(BlockMmioThreadsTest, AnotherDiskTakesTheStateOver) {
  test::TestDriver driver(memory, 64);
  MmioTransport::State state;
  Block::State disk_state;
  {
    Machine machine(image, memory);
    machine.bring_up(driver.layout());
    for (u32 slot = 0; slot < 20; ++slot) request(driver, slot, kRead, 8 * slot);
    if (driver.publish()) machine.set(0x050, 0);
    await(driver, 10);
    machine.mmio->pause();
    state = machine.mmio->save();
    disk_state = machine.disk->save();
    EXPECT_EQ(state.queues[0].position.next_used, driver.used_index()) << "all is published";
  }
  Machine machine(image, memory);
  machine.disk->restore(disk_state);
  machine.mmio->restore(state);
  EXPECT_EQ(machine.mmio->save(), state);
  machine.mmio->resume();
  await(driver, 10);
  CHECK(memory.slice(Gpa(kBuffers), 4096)->clear(0, 4096), "in RAM");
  request(driver, 0, kWriteOut, 80);
  if (driver.publish()) machine.set(0x050, 0);
  await(driver, 1);
  request(driver, 1, kRead, 80);
  if (driver.publish()) machine.set(0x050, 0);
  await(driver, 1);
  EXPECT_EQ(byte(kStatuses), 0);
  EXPECT_EQ(byte(kStatuses + 1), 0);
  EXPECT_EQ(byte(kBuffers + 4096), 0) << "what was written, not what the image had";
}

}  // namespace
}  // namespace mote::virtio
