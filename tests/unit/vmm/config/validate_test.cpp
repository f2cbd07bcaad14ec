// SPDX-License-Identifier: Apache-2.0
// Behaviour of the rules for every configuration.
#include "vmm/config/validate.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

class Validate : public testing::Test {
 protected:
  Validate() { config_.kernel.path = "vmlinux"; }

  std::string verdict() const {
    const auto result = validate(config_);
    if (!result) {
      EXPECT_EQ(result.error().fault(), Fault::kConfig);
    }
    return result ? "fine" : result.error().message();
  }

  VmConfig config_;
};

TEST_F(Validate, AcceptsAKernelAndDefaults) {
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(Validate, WantsAKernel) {
  config_.kernel.path.clear();
  EXPECT_EQ(
      verdict(),
      "no kernel to boot -- pass --kernel FILE, or set path in [kernel] of the VM's TOML file");
}

TEST_F(Validate, LimitsTheCommandLine) {
  config_.kernel.cmdline.assign(2048, 'x');
  EXPECT_EQ(verdict(), "fine");
  config_.kernel.cmdline.assign(2049, 'x');
  EXPECT_EQ(verdict(), "kernel.cmdline: 2049 bytes are more than the 2048 that fit");
}

TEST_F(Validate, LimitsTheNumberOfVcpus) {
  config_.machine.vcpus = 32;
  EXPECT_EQ(verdict(), "fine");
  config_.machine.vcpus = 33;
  EXPECT_EQ(verdict(), "machine.vcpus: 33 is out of range -- choose 1 to 32");
  config_.machine.vcpus = 0;
  EXPECT_EQ(verdict(), "machine.vcpus: 0 is out of range -- choose 1 to 32");
}

TEST_F(Validate, WantsOneMebibyteOrMore) {
  config_.machine.memory_bytes = kMiB;
  EXPECT_EQ(verdict(), "fine");
  config_.machine.memory_bytes = kMiB - kPageSize;
  EXPECT_EQ(verdict(), "machine.memory: 1020KiB is too little -- choose 1MiB or more");
}

TEST_F(Validate, WantsWholePages) {
  config_.machine.memory_bytes = kMiB + kKiB;
  EXPECT_EQ(verdict(), "machine.memory: 1025KiB is no multiple of 4KiB");
}

TEST_F(Validate, WantsWholeHugePages) {
  config_.machine.huge_pages = true;
  config_.machine.memory_bytes = 4 * kMiB;
  EXPECT_EQ(verdict(), "fine");
  config_.machine.memory_bytes = 5 * kMiB;
  EXPECT_EQ(verdict(), "machine.memory: 5MiB is no multiple of 2MiB, which huge_pages needs");
}

TEST_F(Validate, RefusesMemoryThatNoGuestCanAddress) {
  config_.machine.memory_bytes = u64{1} << 52;
  EXPECT_EQ(verdict(), "machine.memory: 4096TiB is more than an x86-64 guest can address");
}

TEST_F(Validate, LeavesAddressesForAPciBus) {
  config_.machine.memory_bytes = (u64{1} << 52) - 256 * kGiB;
  config_.nets = {{.tap = "tap0"}};
  EXPECT_EQ(verdict(), "fine");
  config_.nets[0].transport = Transport::kPci;
  EXPECT_EQ(verdict(), "machine.memory: 4194048GiB leave no addresses for a PCI bus");
  config_.machine.memory_bytes -= kGiB;
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(Validate, WantsAPathForAFile) {
  config_.serial.mode = SerialMode::kFile;
  EXPECT_EQ(verdict(), "serial.mode: 'file' needs the path of the file -- set serial.path");
  config_.serial.path = "console.log";
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(Validate, RefusesAPathWithoutAFile) {
  config_.serial.path = "console.log";
  EXPECT_EQ(verdict(), "serial.path: only serial.mode = \"file\" has a path");
}

TEST_F(Validate, LimitsThreadsAndPoll) {
  config_.machine.io_threads = 0;
  EXPECT_EQ(verdict(), "machine.io_threads: 0 is out of range -- choose 1 to 8");
  config_.machine.io_threads = 9;
  EXPECT_EQ(verdict(), "machine.io_threads: 9 is out of range -- choose 1 to 8");
  config_.machine.io_threads = 8;
  config_.machine.poll_us = 1001;
  EXPECT_EQ(verdict(), "machine.poll_us: 1001 is too long -- choose 0 (off) to 1000");
  config_.machine.poll_us = 1000;
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(Validate, WantsTheTablesThatAreToAnnounce) {
  config_.machine.announce = Announce::kAcpi;
  EXPECT_EQ(verdict(), "fine");
  config_.machine.acpi = false;
  EXPECT_EQ(verdict(),
            "machine.announce: 'acpi' needs the tables that machine.acpi = false leaves out");
}

TEST_F(Validate, WantsAPathForEachDisk) {
  config_.blocks = {{.path = "a"}, {}};
  EXPECT_EQ(verdict(), "block[1]: no path -- name a raw image or a block device");
}

TEST_F(Validate, WantsIdsThatFitTheDevice) {
  for (const char* id : {"", "root", "A-b_9", "12345678901234567890"}) {
    config_.blocks = {{.id = id, .path = "a"}};
    EXPECT_EQ(verdict(), "fine") << id;
  }
  for (const char* id : {"123456789012345678901", "a b", "a/b", "\xc3\xa4"}) {
    config_.blocks = {{.id = id, .path = "a"}};
    EXPECT_EQ(verdict(), "block[0].id: '" + std::string(id) +
                             "' is no id -- take up to 20 letters, digits, '_' and '-'");
  }
}

TEST_F(Validate, RefusesAnIdThatIsTaken) {
  config_.blocks = {{.id = "x", .path = "a"}, {.path = "b"}, {.path = "c"}};
  EXPECT_EQ(verdict(), "fine");
  config_.blocks[2].id = "x";
  EXPECT_EQ(verdict(), "block[2].id: block[0] has this id as well: 'x'");
}

TEST_F(Validate, LimitsQueues) {
  for (const u32 size : {4u, 256u, 1024u}) {
    config_.blocks = {{.path = "a", .queues = 16, .queue_size = size}};
    EXPECT_EQ(verdict(), "fine") << size;
  }
  for (const u32 size : {0u, 1u, 2u, 3u, 5u, 2048u}) {
    config_.blocks = {{.path = "a", .queue_size = size}};
    EXPECT_EQ(verdict(), "block[0].queue_size: " + std::to_string(size) +
                             " is no power of two from 4 to 1024");
  }
  config_.blocks = {{.path = "a", .queues = 17}};
  EXPECT_EQ(verdict(), "block[0].queues: 17 are too many -- choose 1 to 16");
}

TEST_F(Validate, TakesOneRootAndAsManyDisksAsThereArePins) {
  config_.blocks.assign(17, {.path = "a"});
  config_.blocks[3].root = true;
  EXPECT_EQ(verdict(), "fine");
  config_.blocks[4].root = true;
  EXPECT_EQ(verdict(), "block: more than one disk has root = true");
  config_.blocks.assign(18, {.path = "a"});
  EXPECT_EQ(verdict(), "block: 18 disks are too many -- the machine has interrupts for 17");
}

TEST_F(Validate, WantsAnInterruptForEachDevice) {
  config_.blocks.assign(9, {.path = "a"});
  for (int n = 0; n < 8; ++n) config_.nets.push_back({.tap = "t" + std::to_string(n)});
  EXPECT_EQ(verdict(), "fine");
  config_.nets.push_back({.tap = "t8"});
  EXPECT_EQ(verdict(),
            "block and net: 18 devices are too many -- the machine has interrupts for 17");
  config_.blocks.clear();
  config_.nets.assign(18, {.tap = "t"});
  EXPECT_EQ(verdict(), "net: 18 interfaces are too many -- the machine has interrupts for 17");
}

TEST_F(Validate, WantsATapOrDescriptorsForEachInterface) {
  config_.nets = {{.tap = "tap0"}, {}};
  EXPECT_EQ(verdict(), "net[1]: no tap -- name one, or hand one over with fds");
  config_.nets = {{.tap = "tap0", .fds = {5}}};
  EXPECT_EQ(verdict(), "net[0]: a tap and fds -- leave one of them out");
  config_.nets = {{.tap = "1234567890123456"}};
  EXPECT_EQ(verdict(),
            "net[0].tap: '1234567890123456' is too long for a network interface: 16 bytes, and the "
            "kernel takes 15 -- choose a shorter name");
  config_.nets = {{.tap = "tap%d"}};
  EXPECT_NE(verdict(), "fine");
}

TEST_F(Validate, WantsDescriptorsThatCanBeATap) {
  config_.nets = {{.fds = {3, 4}, .queues = 2}, {.fds = {5}}};
  EXPECT_EQ(verdict(), "fine");
  config_.nets = {{.fds = {3, 1}}};
  EXPECT_EQ(verdict(), "net[0].fds: 1 is a standard stream -- hand the tap over as 3 or above");
  config_.nets = {{.fds = {3, 4, 3}}};
  EXPECT_EQ(verdict(), "net[0].fds: 3 is there twice -- each descriptor is one queue pair");
  config_.nets = {{.fds = {3, 4, 5, 6, 7, 8, 9, 10, 11}}};
  EXPECT_EQ(verdict(), "net[0].fds: 9 are too many -- choose 1 to 8");
  config_.nets = {{.fds = {3, 4}, .queues = 3}};
  EXPECT_EQ(verdict(),
            "net[0].queues: 3, but 2 descriptors are handed over -- leave queues out: each "
            "descriptor is one");
}

TEST_F(Validate, WantsAnAddressOfOneInterface) {
  config_.nets = {{.tap = "tap0", .mac = MacAddress{0x02, 0, 0x5e, 0, 0x53, 1}}};
  EXPECT_EQ(verdict(), "fine");
  for (const MacAddress& mac : {MacAddress{}, MacAddress{0x01, 0, 0x5e, 0, 0, 1},
                                MacAddress{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}) {
    config_.nets[0].mac = mac;
    EXPECT_EQ(verdict(), "net[0].mac: " + print_mac(mac) +
                             " is no address of one interface -- choose one whose first byte is "
                             "even, as in 02:00:5e:00:53:01");
  }
}

TEST_F(Validate, LimitsQueuesAndMtuOfInterfaces) {
  config_.nets = {{.tap = "tap0", .mtu = 65521, .queues = 8, .queue_size = 1024}};
  EXPECT_EQ(verdict(), "fine");
  config_.nets = {{.tap = "tap0", .queues = 9}};
  EXPECT_EQ(verdict(), "net[0].queues: 9 are too many -- choose 1 to 8");
  config_.nets = {{.tap = "tap0", .queue_size = 100}};
  EXPECT_EQ(verdict(), "net[0].queue_size: 100 is no power of two from 4 to 1024");
  for (const u32 mtu : {67u, 65522u}) {
    config_.nets = {{.tap = "tap0", .mtu = mtu}};
    EXPECT_EQ(verdict(),
              "net[0].mtu: " + std::to_string(mtu) + " is out of range -- choose 68 to 65521");
  }
  config_.nets = {{.id = "a/b", .tap = "tap0"}};
  EXPECT_EQ(verdict(), "net[0].id: 'a/b' is no id -- take up to 20 letters, digits, '_' and '-'");
}

TEST_F(Validate, RefusesWhatInterfacesCannotShare) {
  const MacAddress mac = {0x02, 0, 0x5e, 0, 0x53, 1};
  config_.nets = {{.tap = "a", .mac = mac}, {.tap = "b"}, {.tap = "c"}};
  EXPECT_EQ(verdict(), "fine");
  config_.nets[2].mac = mac;
  EXPECT_EQ(verdict(),
            "net[2].mac: net[0] has it as well: '02:00:5e:00:53:01' -- choose another, or leave it "
            "out");
  config_.nets[2].mac.reset();
  config_.nets[2].tap = "b";
  EXPECT_EQ(verdict(),
            "net[2].tap: net[1] has it as well: 'b' -- make one more: ip tuntap add dev NAME mode "
            "tap");
  config_.nets[2].tap = "c";
  config_.nets[0].id = "net2";
  EXPECT_EQ(verdict(),
            "net[2].id: net[0] has it as well: 'net2' -- choose another, or leave it out");
  config_.nets = {{.fds = {5, 6}}, {.fds = {7, 6}}};
  EXPECT_EQ(verdict(),
            "net[1].fds: net[0] has it as well: '6' -- each descriptor is one queue pair of one of "
            "them");
}

TEST_F(Validate, WantsEachDeviceOfTheHostOnceWithItsAddress) {
  config_.vfios = {{PciAddress{0, 1, 0x10, 0}}, {PciAddress{0, 1, 0x10, 2}}};
  EXPECT_EQ(verdict(), "fine");
  config_.vfios[1].address = config_.vfios[0].address;
  EXPECT_EQ(verdict(), "vfio[1].address: vfio[0] has it as well: '0000:01:10.0'");
  config_.vfios = {{.address = PciAddress{0, 1, 0x10, 0}},
                   {.address = PciAddress{0, 1, 0x10, 2}, .id = "vfio0"}};
  EXPECT_EQ(verdict(), "vfio[1].id: vfio[0] has this id as well: 'vfio0'");
  config_.vfios[1].id = "a b";
  EXPECT_EQ(verdict(), "vfio[1].id: 'a b' is no id -- take up to 20 letters, digits, '_' and '-'");
  config_.vfios.clear();
  for (u8 device = 0; device < 31; ++device) {
    config_.vfios.push_back({.address = PciAddress{0, 2, device, 0}});
  }
  EXPECT_EQ(verdict(), "fine");
  config_.nets = {{.tap = "a", .transport = Transport::kPci}};
  EXPECT_EQ(verdict(), "vfio: 32 devices are too many for the PCI bus -- it has places for 31");
  config_.nets[0].transport = Transport::kMmio;
  EXPECT_EQ(verdict(), "fine");
  config_.vfios[1].address.reset();
  EXPECT_EQ(verdict(), "vfio[1]: no address -- 'mote vfio list' lists functions");
}

TEST_F(Validate, RefusesAUserWithoutASandboxAndRoot) {
  config_.sandbox = {.enabled = true, .uid = 1, .gid = 4294967294};
  EXPECT_EQ(verdict(), "fine");
  config_.sandbox.uid = 0;
  EXPECT_EQ(verdict(),
            "sandbox.uid: 0 is no number that a VM may run as -- choose 1 to 4294967294, or leave "
            "it out");
  config_.sandbox = {.enabled = false, .gid = 5};
  EXPECT_EQ(verdict(),
            "sandbox.gid: without the sandbox a VM runs as the user that starts it -- leave it "
            "out");
}

}  // namespace
}  // namespace mote
