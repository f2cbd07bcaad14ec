// SPDX-License-Identifier: Apache-2.0
// Places of virtio devices: in the hole, apart from each other and from what has a pin already.
#include "vmm/arch/virtio_slots.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mote::arch {
namespace {

TEST(VirtioSlots, PlacesFollowEachOtherFromTheFirst) {
  EXPECT_EQ(virtio_slot(0), (VirtioSlot{Gpa(0xd0000000), Pin{5}}));
  EXPECT_EQ(virtio_slot(1), (VirtioSlot{Gpa(0xd0001000), Pin{6}}));
  EXPECT_EQ(virtio_slot(16), (VirtioSlot{Gpa(0xd0010000), Pin{23}}));
}

TEST(VirtioSlots, NoPinIsSharedWithAnotherDevice) {
  // The PIT, the keyboard, the cascade, the serial ports, the clock, the mathematics processor.
  std::set<u32> taken = {0, 1, 2, 3, 4, 8, 13};
  for (u32 n = 0; n < kMaxVirtioDevices; ++n) {
    EXPECT_TRUE(taken.insert(index(virtio_slot(n).pin)).second) << n;
  }
  EXPECT_EQ(taken.size(), kPinCount) << "every pin has a use";
}

TEST(VirtioSlots, TheWordsAreWhatLinuxReads) {
  EXPECT_EQ(virtio_word(0), "virtio_mmio.device=4K@0xd0000000:5");
  EXPECT_EQ(virtio_word(9), "virtio_mmio.device=4K@0xd0009000:16");
  EXPECT_EQ(virtio_word(16), "virtio_mmio.device=4K@0xd0010000:23");
}

}  // namespace
}  // namespace mote::arch
