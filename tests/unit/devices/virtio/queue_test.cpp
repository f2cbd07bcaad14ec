// SPDX-License-Identifier: Apache-2.0
// The device's end of a queue: order, indices that wrap, notifications, drivers that lie.
#include "devices/virtio/queue.hpp"

#include <gtest/gtest.h>

#include "devices/virtio/features.hpp"
#include "tests/unit/devices/virtio/test_driver.hpp"

namespace mote::virtio {
namespace {

using test::kWrite;
using test::TestDriver;

constexpr u16 kSize = 4;
constexpr u64 kData = 0x8000;

/// With EVENT_IDX and, as the parameter says, without.
struct QueueTest : testing::TestWithParam<bool> {
  GuestMemory memory = test::make_ram();
  TestDriver driver{memory, kSize, 0x1000, GetParam()};
  Chain chain{kSize};
  u64 features = feature::kIndirectDesc | (GetParam() ? feature::kEventIdx : 0);
  Queue queue = *Queue::map(memory, driver.layout(), features);

  u16 add() {
    const auto head = driver.add({{kData, 16}, {kData + 16, 64, kWrite}});
    CHECK(head.has_value(), "the table has room");
    return *head;
  }
  Queue::Pop pop() { return queue.pop(memory, chain); }
};

INSTANTIATE_TEST_SUITE_P(EventIdx, QueueTest, testing::Bool());

TEST_P(QueueTest, IsEmptyAtFirst) {
  EXPECT_FALSE(queue.has_available());
  EXPECT_EQ(pop(), Queue::Pop::kEmpty);
  EXPECT_FALSE(queue.publish());
}

TEST_P(QueueTest, AChainGoesThereAndBack) {
  const u16 head = add();
  EXPECT_FALSE(queue.has_available());
  driver.publish();
  EXPECT_TRUE(queue.has_available());
  ASSERT_EQ(pop(), Queue::Pop::kChain);
  EXPECT_EQ(chain.head(), head);
  EXPECT_EQ(pop(), Queue::Pop::kEmpty);
  queue.push(head, 65);
  EXPECT_FALSE(driver.take()) << "not published";
  EXPECT_TRUE(queue.publish());
  EXPECT_EQ(driver.take(), (TestDriver::Used{head, 65}));
  EXPECT_FALSE(queue.publish()) << "nothing new";
}

TEST_P(QueueTest, IndicesWrapAndChainsMayReturnInAnyOrder) {
  for (u32 i = 0; i < 70'000; ++i) {
    const u16 first = add();
    const u16 second = add();
    driver.publish();
    ASSERT_EQ(pop(), Queue::Pop::kChain);
    ASSERT_EQ(pop(), Queue::Pop::kChain);
    queue.push(second, i);
    queue.push(first, 1);
    static_cast<void>(queue.publish());
    ASSERT_EQ(driver.take(), (TestDriver::Used{second, i}));
    ASSERT_EQ(driver.take(), (TestDriver::Used{first, 1}));
  }
  EXPECT_EQ(queue.position().next_available, static_cast<u16>(140'000));
  EXPECT_EQ(queue.position().next_used, static_cast<u16>(140'000));
}

TEST_P(QueueTest, UnpopGivesTheSameChainAgain) {
  const u16 first = add();
  add();
  driver.publish();
  ASSERT_EQ(pop(), Queue::Pop::kChain);
  queue.unpop();
  EXPECT_EQ(queue.position(), QueuePosition{});
  ASSERT_EQ(pop(), Queue::Pop::kChain);
  EXPECT_EQ(chain.head(), first);
}

TEST_P(QueueTest, GoesOnWhereItsPositionSays) {
  const u16 first = add();
  const u16 second = add();
  driver.publish();
  ASSERT_EQ(pop(), Queue::Pop::kChain);
  queue.push(first, 0);
  EXPECT_TRUE(queue.publish());
  Queue later = *Queue::map(memory, driver.layout(), features, queue.position());
  ASSERT_EQ(later.pop(memory, chain), Queue::Pop::kChain);
  EXPECT_EQ(chain.head(), second);
  later.push(second, 7);
  EXPECT_EQ(later.publish(), !GetParam()) << "used_event lies behind with EVENT_IDX";
  EXPECT_EQ(driver.take(), (TestDriver::Used{first, 0}));
  EXPECT_EQ(driver.take(), (TestDriver::Used{second, 7}));
}

// Notifications ----------------------------------------------------------------------------------

TEST_P(QueueTest, InterruptsOnlyWhenTheDriverWantsThem) {
  driver.refuse_interrupts();
  u16 head = add();
  driver.publish();
  ASSERT_EQ(pop(), Queue::Pop::kChain);
  queue.push(head, 0);
  EXPECT_FALSE(queue.publish());
  EXPECT_TRUE(driver.want_interrupt()) << "one has come meanwhile";
  ASSERT_TRUE(driver.take());
  EXPECT_FALSE(driver.want_interrupt());
  head = add();
  driver.publish();
  ASSERT_EQ(pop(), Queue::Pop::kChain);
  queue.push(head, 0);
  EXPECT_TRUE(queue.publish());
}

TEST_P(QueueTest, KicksOnlyWhenTheDeviceWantsThem) {
  queue.suppress_kicks();
  add();
  const bool first_asked = driver.publish();
  EXPECT_EQ(first_asked, GetParam()) << "with EVENT_IDX the first passes avail_event 0";
  add();
  EXPECT_FALSE(driver.publish());
  EXPECT_TRUE(queue.request_kicks()) << "chains are there";
  ASSERT_EQ(pop(), Queue::Pop::kChain);
  queue.push(chain.head(), 0);
  ASSERT_EQ(pop(), Queue::Pop::kChain);
  queue.push(chain.head(), 0);
  EXPECT_FALSE(queue.request_kicks());
  static_cast<void>(queue.publish());
  ASSERT_TRUE(driver.take());
  add();
  EXPECT_TRUE(driver.publish());
}

TEST(QueueEventTest, UsedEventCountsElementsNotPublications) {
  const GuestMemory memory = test::make_ram();
  TestDriver driver(memory, 8);
  Queue queue = *Queue::map(memory, driver.layout(), feature::kEventIdx);
  Chain chain(8);
  for (int i = 0; i < 4; ++i) driver.add({{kData, 16}});
  driver.publish();
  driver.put(driver.layout().available.raw() + 4 + 2 * 8, u16{2});  // used_event
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(queue.pop(memory, chain), Queue::Pop::kChain);
    queue.push(chain.head(), 0);
    EXPECT_EQ(queue.publish(), i == 2);
  }
}

// Layouts ----------------------------------------------------------------------------------------

TEST_P(QueueTest, SizesThatAreNoPowerOfTwoUpToTheMaximumAreRefused) {
  QueueLayout layout = driver.layout();
  layout.descriptors = Gpa(0x10000);
  layout.available = Gpa(0x20000);
  layout.used = Gpa(0x30000);
  for (const int size : {0, 3, 5, 1023, 1025, 2048, 32768, 65535}) {
    layout.size = static_cast<u16>(size);
    EXPECT_FALSE(Queue::map(memory, layout, 0)) << size;
  }
  for (const int size : {1, 2, 256, 1024}) {
    layout.size = static_cast<u16>(size);
    EXPECT_TRUE(Queue::map(memory, layout, 0)) << size;
  }
}

TEST_P(QueueTest, MisalignedRingsAreRefused) {
  for (const u64 step : {1u, 2u, 4u, 8u, 16u}) {
    QueueLayout layout = driver.layout();
    layout.descriptors = Gpa(0x1000 + step);
    EXPECT_EQ(Queue::map(memory, layout, 0).has_value(), step >= 16) << step;
    layout = driver.layout();
    layout.available = Gpa(0x2000 + step);
    EXPECT_EQ(Queue::map(memory, layout, 0).has_value(), step >= 2) << step;
    layout = driver.layout();
    layout.used = Gpa(0x3000 + step);
    EXPECT_EQ(Queue::map(memory, layout, 0).has_value(), step >= 4) << step;
  }
}

TEST_P(QueueTest, RingsMustEndInRam) {
  QueueLayout layout = driver.layout();
  layout.descriptors = Gpa(kMiB - 16 * kSize);
  EXPECT_TRUE(Queue::map(memory, layout, 0));
  layout.descriptors = Gpa(kMiB - 16 * kSize + 16);
  EXPECT_FALSE(Queue::map(memory, layout, 0));
  layout = driver.layout();
  layout.available = Gpa(kMiB - 6 - 2 * kSize);
  EXPECT_TRUE(Queue::map(memory, layout, 0));
  layout.available = Gpa(kMiB - 4 - 2 * kSize);
  EXPECT_FALSE(Queue::map(memory, layout, 0));
  layout = driver.layout();
  layout.used = Gpa(kMiB - 8 - 8 * kSize);
  EXPECT_TRUE(Queue::map(memory, layout, 0));
  layout.used = Gpa(kMiB - 4 - 8 * kSize);
  EXPECT_FALSE(Queue::map(memory, layout, 0));
  for (const u64 outside : {kMiB, u64{1} << 52, ~u64{0} - 15}) {
    layout = driver.layout();
    layout.descriptors = Gpa(outside & ~u64{15});
    EXPECT_FALSE(Queue::map(memory, layout, 0));
  }
}

// Drivers that lie -------------------------------------------------------------------------------

TEST_P(QueueTest, AnIndexTooFarAheadBreaksTheQueueForEver) {
  add();
  driver.set_available_index(kSize + 1);
  EXPECT_EQ(pop(), Queue::Pop::kBroken);
  driver.set_available_index(1);
  EXPECT_EQ(pop(), Queue::Pop::kBroken);
  EXPECT_FALSE(queue.has_available()) << "or a worker would never rest";
  EXPECT_FALSE(queue.request_kicks());
}

TEST_P(QueueTest, AnIndexThatGoesBackBreaksTheQueue) {
  add();
  driver.publish();
  ASSERT_EQ(pop(), Queue::Pop::kChain);
  driver.set_available_index(0);
  EXPECT_EQ(pop(), Queue::Pop::kBroken);
}

TEST_P(QueueTest, OfferingMoreChainsThanThereAreDescriptorsBreaksTheQueue) {
  driver.write(0, {kData, 16, 0, 0});
  for (int i = 0; i < kSize; ++i) driver.offer(0);
  driver.publish();
  for (int i = 0; i < kSize; ++i) ASSERT_EQ(pop(), Queue::Pop::kChain);
  driver.offer(0);
  driver.publish();
  EXPECT_EQ(pop(), Queue::Pop::kBroken) << "none of the others came back";
}

TEST_P(QueueTest, AHeadOutOfRangeBreaksTheQueue) {
  driver.offer(kSize);
  driver.publish();
  EXPECT_EQ(pop(), Queue::Pop::kBroken);
  EXPECT_EQ(queue.position(), QueuePosition{});
}

TEST_P(QueueTest, ABrokenChainBreaksTheQueue) {
  driver.write(0, {kData, 16, test::kNext, 0});
  driver.offer(0);
  driver.publish();
  EXPECT_EQ(pop(), Queue::Pop::kBroken);
}

TEST_P(QueueTest, RingsOverEachOtherHarmNobody) {
  QueueLayout layout = driver.layout();
  layout.available = layout.used = layout.descriptors;
  Queue odd = *Queue::map(memory, layout, features);
  driver.put(layout.descriptors.raw(), ~u64{0});
  u32 taken = 0;
  for (int i = 0; i < 100; ++i) {
    if (odd.pop(memory, chain) != Queue::Pop::kChain) continue;
    odd.push(chain.head(), 1);
    static_cast<void>(odd.publish());
    ++taken;
  }
  EXPECT_LT(taken, 100u);
}

}  // namespace
}  // namespace mote::virtio
