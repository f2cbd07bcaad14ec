// SPDX-License-Identifier: Apache-2.0
// What a configuration's disks and interfaces come to: words for the guest, and loops.
#include "vmm/machine/virtio_devices.hpp"

#include <gtest/gtest.h>

#include "vmm/machine/passed_devices.hpp"

namespace mote {
namespace {

VmConfig with(std::size_t disks, std::size_t nets) {
  VmConfig config;
  config.blocks.assign(disks, {.path = "a"});
  for (std::size_t n = 0; n < nets; ++n) config.nets.push_back({.tap = "t" + std::to_string(n)});
  return config;
}

using Words = std::vector<std::string>;

TEST(VirtioDevices, DisksComeFirst) {
  VmConfig config = with(2, 2);
  config.blocks[1].root = true;
  EXPECT_EQ(virtio_device_count(config), 4u);
  EXPECT_EQ(virtio_words(config, false),
            (Words{"virtio_mmio.device=4K@0xd0000000:5", "virtio_mmio.device=4K@0xd0001000:6",
                   "root=/dev/vdb", "rw", "virtio_mmio.device=4K@0xd0002000:7",
                   "virtio_mmio.device=4K@0xd0003000:9"}));
  EXPECT_EQ(virtio_words(config, true), (Words{"root=/dev/vdb", "rw"}));
  EXPECT_EQ(virtio_words(with(0, 1), false), Words{"virtio_mmio.device=4K@0xd0000000:5"});
  EXPECT_EQ(virtio_words(with(0, 0), false), Words{});
}

TEST(VirtioDevices, DevicesOfTheHostLieBehindThemOnTheBus) {
  VmConfig config = with(2, 1);
  config.vfios.resize(3);
  EXPECT_EQ(places_of_passed(config).first, 1u);
  EXPECT_EQ(places_of_passed(config).count, 3u);
  config.machine.transport = Transport::kPci;
  EXPECT_EQ(places_of_passed(config).first, 4u);
  config.blocks[1].transport = Transport::kMmio;
  EXPECT_EQ(places_of_passed(config).first, 3u);
}

TEST(VirtioDevices, WhatIsOnThePciBusNeedsNoWords) {
  VmConfig config = with(3, 1);
  EXPECT_FALSE(needs_pci(config));
  config.machine.transport = Transport::kPci;
  config.blocks[1].transport = Transport::kMmio;
  EXPECT_TRUE(needs_pci(config));
  EXPECT_EQ(mmio_device_count(config), 1u);
  EXPECT_EQ(virtio_words(config, false), Words{"virtio_mmio.device=4K@0xd0000000:5"});
  config.blocks[1].transport.reset();
  EXPECT_EQ(mmio_device_count(config), 0u);
  EXPECT_EQ(virtio_words(config, false), Words{});
}

TEST(VirtioDevices, LinuxFindsDisksByMmioFirst) {
  VmConfig config = with(4, 0);
  config.blocks[0].transport = config.blocks[2].transport = Transport::kPci;
  const char* const names[] = {"root=/dev/vdc", "root=/dev/vda", "root=/dev/vdd", "root=/dev/vdb"};
  for (std::size_t root = 0; root < 4; ++root) {
    VmConfig rooted = config;
    rooted.blocks[root].root = true;
    EXPECT_EQ(virtio_words(rooted, true), (Words{names[root], "rw"}));
  }
}

TEST(VirtioDevices, ARootMayBeAPartition) {
  VmConfig config = with(2, 0);
  config.blocks[1].partuuid = "0eaa91a0-01";
  EXPECT_EQ(virtio_words(config, true), Words{}) << "it is no root";
  config.blocks[1].root = config.blocks[1].read_only = true;
  EXPECT_EQ(virtio_words(config, true), (Words{"root=PARTUUID=0eaa91a0-01", "ro"}));
}

TEST(VirtioDevices, AMachineWithoutThemHasOneSmallLoop) {
  VmConfig config = with(0, 0);
  config.machine.io_threads = 4;
  EXPECT_EQ(loop_count(config), 1u);
  const LoopOptions options = loop_options(config);
  EXPECT_EQ(options.operations, LoopOptions{}.operations);
  EXPECT_EQ(options.poll_ns, 0u);
}

TEST(VirtioDevices, DisksOrInterfacesAreServedByTheLoopsAskedFor) {
  for (VmConfig config : {with(1, 0), with(0, 1), with(3, 5)}) {
    config.machine.io_threads = 4;
    config.machine.poll_us = 7;
    EXPECT_EQ(loop_count(config), 4u);
    const LoopOptions options = loop_options(config);
    EXPECT_GT(options.operations, LoopOptions{}.operations);
    EXPECT_GE(options.files, config.blocks.size());
    EXPECT_EQ(options.poll_ns, 7000u);
  }
}

TEST(VirtioDevices, ALoopThatIsMadeAheadServesAnyOfThem) {
  VmConfig config;
  config.machine.poll_us = 7;
  const LoopOptions most = most_loop_options(config.machine);
  for (std::size_t disks = 0; disks <= kMaxVirtioDevices; ++disks) {
    const LoopOptions options = loop_options(with(disks, kMaxVirtioDevices - disks));
    EXPECT_GE(most.files, options.files);
    EXPECT_GE(most.operations, options.operations);
  }
  EXPECT_EQ(most.poll_ns, 7000u);
}

}  // namespace
}  // namespace mote
