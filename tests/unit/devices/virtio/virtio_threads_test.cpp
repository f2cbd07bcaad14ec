// SPDX-License-Identifier: Apache-2.0
// Queue and transport between threads: notifications that must not get lost, resets that wait.
#include <gtest/gtest.h>

#include <semaphore>
#include <thread>

#include "devices/virtio/features.hpp"
#include "devices/virtio/mmio.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"
#include "tests/unit/devices/virtio/fake_device.hpp"
#include "tests/unit/devices/virtio/test_driver.hpp"

namespace mote::virtio {
namespace {

constexpr std::chrono::seconds kPatience{30};

/// A wake-up that is counted at most once, like an eventfd or an interrupt.
class Bell {
 public:
  void ring() {
    if (!rung_.exchange(true)) semaphore_.release();
  }
  bool wait() {
    if (!semaphore_.try_acquire_for(kPatience)) return false;
    rung_.exchange(false);
    return true;
  }

 private:
  std::counting_semaphore<> semaphore_{0};
  std::atomic<bool> rung_{false};
};

/// Both sides sleep whenever there is nothing to do, and only the other side's notification wakes
/// them: one that is lost stops the test.
void run_requests(bool event_idx, u32 requests) {
  constexpr u16 kSize = 8;
  const GuestMemory memory = test::make_ram();
  test::TestDriver driver(memory, kSize, 0x1000, event_idx);
  Queue queue = *Queue::map(memory, driver.layout(), event_idx ? feature::kEventIdx : 0);
  Bell kick, interrupt;
  std::atomic<bool> lost{false};

  std::thread device([&] {
    Chain chain(kSize);
    for (u32 done = 0; done < requests;) {
      queue.suppress_kicks();
      while (queue.pop(memory, chain) == Queue::Pop::kChain) {
        queue.push(chain.head(), done++);
        if (done % 3 == 0 && queue.publish()) interrupt.ring();
      }
      if (queue.publish()) interrupt.ring();
      if (done == requests || queue.request_kicks()) continue;
      if (!kick.wait()) return lost.store(true);
    }
  });
  u32 offered = 0, taken = 0;
  while (taken < requests && !lost) {
    while (offered < requests && driver.add({{0x8000, 16}})) ++offered;
    if (driver.publish()) kick.ring();
    driver.refuse_interrupts();
    const u32 before = taken;
    while (const auto used = driver.take()) {
      ASSERT_EQ(used->written, taken);
      ++taken;
    }
    if (taken != before || taken == requests || driver.want_interrupt()) continue;
    if (!interrupt.wait()) lost = true;
  }
  kick.ring();
  device.join();
  EXPECT_FALSE(lost);
  EXPECT_EQ(taken, requests);
}

TEST(VirtioThreadsTest, NoNotificationIsLostWithEventIdx) {
  run_requests(true, 100'000);
}

TEST(VirtioThreadsTest, NoNotificationIsLostWithFlags) {
  run_requests(false, 100'000);
}

struct VirtioResetThreadsTest : testing::Test {
  GuestMemory memory = test::make_ram();
  test::FakeDevice device;
  FakeLine line;
  MmioTransport mmio{memory, device, line};
  std::atomic<bool> returned{false};

  void SetUp() override {
    write_le(mmio, 0x024, 4, 1);
    write_le(mmio, 0x020, 4, 1);  // VERSION_1
    write_le(mmio, 0x070, 4, 11);
    for (const u32 index : {0u, 1u}) {
      write_le(mmio, 0x030, 4, index);
      write_le(mmio, 0x038, 4, 8);
      write_le(mmio, 0x080, 4, 0x1000 + 0x4000 * index);
      write_le(mmio, 0x090, 4, 0x2000 + 0x4000 * index);
      write_le(mmio, 0x0a0, 4, 0x3000 + 0x4000 * index);
      write_le(mmio, 0x044, 4, 1);
    }
    write_le(mmio, 0x070, 4, 15);
    ASSERT_EQ(device.starts, 2u);
    device.is_slow = true;
  }
  std::thread reset() {
    return std::thread([this] {
      write_le(mmio, 0x070, 4, 0);
      returned = true;
    });
  }
  void await(std::size_t stops) {
    while (device.waiting() < stops) std::this_thread::yield();
  }
};

TEST_F(VirtioResetThreadsTest, AResetWaitsForTheRequests) {
  std::thread vcpu = reset();
  await(2);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(returned);
  device.events->on_used(0);  // the loop is not held up by the waiting vCPU
  device.events->on_broken();
  EXPECT_EQ(read_le(mmio, 0x060, 4), 3u) << "nor is another vCPU's interrupt handler";
  device.release();
  vcpu.join();
  EXPECT_EQ(device.resets, 1u);
  EXPECT_EQ(read_le(mmio, 0x070, 4), 0u);
  EXPECT_EQ(read_le(mmio, 0x060, 4), 0u);
}

TEST_F(VirtioResetThreadsTest, AbandonEndsTheWait) {
  std::thread vcpu = reset();
  await(2);
  mmio.abandon();
  vcpu.join();
  EXPECT_TRUE(returned);
  EXPECT_EQ(device.resets, 0u) << "requests are in flight";
  write_le(mmio, 0x070, 4, 0);
  mmio.pause();
  mmio.resume();
  EXPECT_EQ(device.stops, 2u) << "nothing is stopped twice";
  EXPECT_EQ(device.starts, 2u);
  device.release();
}

}  // namespace
}  // namespace mote::virtio
