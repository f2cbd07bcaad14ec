// SPDX-License-Identifier: Apache-2.0
// Behaviour of the TOML reader: what it takes, and the words for what it refuses.
#include "vmm/config/toml_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace mote {
namespace {

VmConfig read(std::string_view text, std::string_view file_name = "vm.toml") {
  const auto config = read_toml(text, file_name);
  EXPECT_TRUE(config) << config.error().message();
  return config ? *config : VmConfig{};
}

std::string refusal(std::string_view text) {
  const auto config = read_toml(text, "vm.toml");
  if (!config) {
    EXPECT_EQ(config.error().fault(), Fault::kConfig);
  }
  return config ? "accepted" : config.error().message();
}

TEST(TomlReader, ReadsEveryKey) {
  const VmConfig config = read(R"(
[kernel]
path = "/boot/vmlinux"
initrd = "/boot/initrd"
cmdline = "console=ttyS0 quiet"
[machine]
vcpus = 4
memory = "2GiB"
huge_pages = true
legacy = false
acpi = false
io_threads = 3
poll_us = 0
registered_buffers = true
announce = "cmdline"
transport = "pci"
[[block]]
id = "root"
path = "/var/disk.img"
read_only = true
root = true
queues = 2
queue_size = 128
cache = "direct"
transport = "mmio"
bandwidth = { size = "10MiB", refill_ms = 200, burst = "1GiB" }
operations = { size = 1000, refill_ms = 10, burst = 5 }
[[block]]
path = "/dev/vdz"
cache = "unsafe"
[[net]]
id = "lan"
tap = "tap0"
mac = "02:00:5e:00:53:01"
mtu = 9000
queues = 4
queue_size = 1024
transport = "pci"
rx_bandwidth = { size = "1MiB" }
rx_frames = { size = 2, refill_ms = 3, burst = 4 }
tx_bandwidth = { size = "5MiB" }
tx_frames = { size = 6 }
[[net]]
fds = [7, 8]
[[vfio]]
id = "nic"
address = "0000:01:10.0"
[[vfio]]
address = "02:00.1"
[serial]
mode = "file"
path = "/tmp/log"
[sandbox]
enabled = false
uid = 4321
gid = 8765
[limits]
cpu = 1.5
cpu_weight = 50
memory = "4GiB"
pids = 40
read_bandwidth = "100MiB"
write_bandwidth = "50MiB"
read_operations = 1000
write_operations = 500
parent = "/vms"
group = "one"
[timeline]
table = true
json = "/tmp/trace.json"
)");
  VmConfig expected;
  expected.kernel = {"/boot/vmlinux", "/boot/initrd", "console=ttyS0 quiet"};
  expected.machine = {4,   2 * kGiB, true, false, false, 3, 0, Announce::kCmdline, Transport::kPci,
                      true};
  expected.blocks = {{.id = "root",
                      .path = "/var/disk.img",
                      .read_only = true,
                      .root = true,
                      .queues = 2,
                      .queue_size = 128,
                      .cache = BlockCache::kDirect,
                      .transport = Transport::kMmio,
                      .bandwidth = RateLimit{10 * kMiB, 200, kGiB},
                      .operations = RateLimit{1000, 10, 5}},
                     {.path = "/dev/vdz", .cache = BlockCache::kUnsafe}};
  expected.nets = {{.id = "lan",
                    .tap = "tap0",
                    .mac = MacAddress{0x02, 0, 0x5e, 0, 0x53, 1},
                    .mtu = 9000,
                    .queues = 4,
                    .queue_size = 1024,
                    .transport = Transport::kPci,
                    .rx_bandwidth = RateLimit{kMiB},
                    .rx_frames = RateLimit{2, 3, 4},
                    .tx_bandwidth = RateLimit{5 * kMiB},
                    .tx_frames = RateLimit{6}},
                   {.fds = {7, 8}}};
  expected.vfios = {{PciAddress{0, 1, 0x10, 0}, "nic"}, {PciAddress{0, 2, 0, 1}, ""}};
  expected.serial = {SerialMode::kFile, "/tmp/log"};
  expected.sandbox = {false, 4321, 8765};
  expected.limits = {.cpu = 1500,
                     .cpu_weight = 50,
                     .memory_bytes = 4 * kGiB,
                     .pids = 40,
                     .read_bandwidth = 100 * kMiB,
                     .write_bandwidth = 50 * kMiB,
                     .read_operations = 1000,
                     .write_operations = 500,
                     .parent = "/vms",
                     .group = "one"};
  expected.timeline = {true, "/tmp/trace.json"};
  EXPECT_EQ(config, expected);
}

TEST(TomlReader, KeepsDefaultsOfAbsentKeys) {
  EXPECT_EQ(read(""), VmConfig{});
  EXPECT_EQ(read("[machine]\n"), VmConfig{});
}

TEST(TomlReader, ReadsDottedKeysAndInlineTables) {
  EXPECT_EQ(read("machine.vcpus = 3\n").machine.vcpus, 3u);
  EXPECT_EQ(read("machine = { vcpus = 3 }\n").machine.vcpus, 3u);
}

TEST(TomlReader, ReadsEverySerialMode) {
  EXPECT_EQ(read("serial.mode = \"stdio\"").serial.mode, SerialMode::kStdio);
  EXPECT_EQ(read("serial.mode = \"file\"").serial.mode, SerialMode::kFile);
  EXPECT_EQ(read("serial.mode = \"pty\"").serial.mode, SerialMode::kPty);
  EXPECT_EQ(read("serial.mode = \"none\"").serial.mode, SerialMode::kNone);
}

TEST(TomlReader, ResolvesPathsFromTheFilesDirectory) {
  EXPECT_EQ(read("kernel.path = \"k/vmlinux\"", "vms/web/vm.toml").kernel.path,
            "vms/web/k/vmlinux");
  EXPECT_EQ(read("kernel.initrd = \"initrd\"", "/vm.toml").kernel.initrd, "/initrd");
  EXPECT_EQ(read("serial.path = \"log\"", "a/vm.toml").serial.path, "a/log");
  EXPECT_EQ(read("timeline.json = \"t\"", "a/vm.toml").timeline.json_path, "a/t");
}

TEST(TomlReader, LeavesPathsBesideTheFileAndAbsoluteOnesAlone) {
  EXPECT_EQ(read("kernel.path = \"vmlinux\"", "vm.toml").kernel.path, "vmlinux");
  EXPECT_EQ(read("kernel.path = \"/boot/vmlinux\"", "a/vm.toml").kernel.path, "/boot/vmlinux");
  EXPECT_EQ(read("kernel.initrd = \"\"", "a/vm.toml").kernel.initrd, "");
}

TEST(TomlReader, ReadsDisksOneAfterTheOther) {
  const VmConfig config = read("[[block]]\npath = \"a\"\n[[block]]\npath = \"/b\"\n", "vm/x.toml");
  ASSERT_EQ(config.blocks.size(), 2u);
  EXPECT_EQ(config.blocks[0], (BlockConfig{.path = "vm/a"}));
  EXPECT_EQ(config.blocks[1], (BlockConfig{.path = "/b"}));
  EXPECT_EQ(read("block = [ { path = \"a\" } ]").blocks.size(), 1u);
}

TEST(TomlReader, KeepsTheDefaultsOfRateLimits) {
  const VmConfig config = read("[[block]]\nbandwidth = { size = \"1KiB\" }\n");
  ASSERT_EQ(config.blocks.size(), 1u);
  EXPECT_EQ(config.blocks[0].bandwidth, (RateLimit{kKiB, 1000, 0}));
  EXPECT_EQ(config.blocks[0].operations, std::nullopt);
}

TEST(TomlReader, WantsDisksAsAnArrayOfTables) {
  for (const char* text :
       {"[block]\npath = \"a\"\n", "block = \"a\"", "block = [1]", "block = []"}) {
    EXPECT_NE(refusal(text).find(" -- write [[block]] and a disk's keys below"), std::string::npos)
        << text << refusal(text);
  }
}

TEST(TomlReader, TellsInWhichDiskAKeyIsWrong) {
  EXPECT_EQ(refusal("[[block]]\npath = \"a\"\n[[block]]\nreadonly = true\n"),
            "vm.toml:4:1: unknown key 'readonly' in [block]; did you mean 'read_only'?");
  EXPECT_EQ(refusal("[[block]]\nqueues = 17\n"),
            "vm.toml:2:10: 'block.queues' must be a whole number from 1 to 16, not 17");
  EXPECT_EQ(refusal("[[block]]\nqueue_size = 2\n"),
            "vm.toml:2:14: 'block.queue_size' must be a whole number from 4 to 1024, not 2");
  EXPECT_EQ(refusal("[[block]]\ncache = \"writeback2\"\n"),
            "vm.toml:2:9: 'block.cache' must be \"writeback\", \"unsafe\" or \"direct\", not "
            "'writeback2'; did you mean 'writeback'?");
  EXPECT_EQ(refusal("[[net]]\ntransport = \"isa\"\n"),
            "vm.toml:2:13: 'net.transport' must be \"mmio\" or \"pci\", not 'isa'");
  EXPECT_EQ(
      refusal("machine.announce = \"dsdt\"\n"),
      "vm.toml:1:20: 'machine.announce' must be \"auto\", \"cmdline\" or \"acpi\", not 'dsdt'");
}

TEST(TomlReader, WantsInterfacesAsAnArrayOfTables) {
  EXPECT_EQ(refusal("[net]\ntap = \"tap0\"\n"),
            "vm.toml:1:1: 'net' must be an array of tables, not a table -- write [[net]] and an "
            "interface's keys below");
}

TEST(TomlReader, TellsInWhichWayAnInterfaceIsWrong) {
  const auto net = [](const std::string& line) { return refusal("[[net]]\n" + line + "\n"); };
  EXPECT_EQ(net("name = \"tap0\""), "vm.toml:2:1: unknown key 'name' in [net]");
  EXPECT_EQ(net("tx_frame = 1"),
            "vm.toml:2:1: unknown key 'tx_frame' in [net]; did you mean 'tx_frames'?");
  EXPECT_EQ(net("mac = 2"),
            "vm.toml:2:7: 'net.mac' must be a string, as in \"02:00:5e:00:53:01\", not an integer");
  EXPECT_EQ(net("mac = \"2\""),
            "vm.toml:2:7: 'net.mac' is wrong: '2' is no MAC address -- write six pairs of "
            "hexadecimal digits, as in 02:00:5e:00:53:01");
  EXPECT_EQ(net("fds = 5"),
            "vm.toml:2:7: 'net.fds' must be an array of descriptors, as in [5, 6], not an integer");
  EXPECT_EQ(net("fds = [5, \"6\"]"),
            "vm.toml:2:7: 'net.fds' has an element that must be a whole number from 0 to "
            "2147483647, not a string");
  EXPECT_EQ(net("fds = [-1]"),
            "vm.toml:2:7: 'net.fds' has an element that must be a whole number from 0 to "
            "2147483647, not -1");
  EXPECT_EQ(net("mtu = 67"),
            "vm.toml:2:7: 'net.mtu' must be a whole number from 68 to 65521, not 67");
  EXPECT_EQ(net("queues = 9"),
            "vm.toml:2:10: 'net.queues' must be a whole number from 1 to 8, not 9");
  EXPECT_EQ(net("rx_frames = { size = 0 }"), "vm.toml:2:13: 'net.rx_frames' needs a size above 0");
}

TEST(TomlReader, RefusesRateLimitsThatMeanNothing) {
  const auto limit = [](const std::string& value) {
    return refusal("[[block]]\noperations = " + value + "\n");
  };
  EXPECT_EQ(
      limit("5"),
      "vm.toml:2:14: 'block.operations' must be a table with size, refill_ms and burst, not an "
      "integer");
  EXPECT_EQ(limit("{}"), "vm.toml:2:14: 'block.operations' needs a size above 0");
  EXPECT_EQ(limit("{ size = 1, brust = 2 }"),
            "vm.toml:2:14: 'block.operations' has an unknown key 'brust'; did you mean 'burst'?");
  EXPECT_EQ(limit("{ size = \"1MiB\" }"),
            "vm.toml:2:14: 'block.operations' has a 'size' that must be a whole number from 0 to "
            "1099511627776, not a string");
  EXPECT_EQ(
      limit("{ size = 1, refill_ms = 0 }"),
      "vm.toml:2:14: 'block.operations' has a 'refill_ms' that must be a whole number from 1 to "
      "3600000, not 0");
}

TEST(TomlReader, RefusesUnknownKeys) {
  EXPECT_EQ(refusal("[machine]\nmemroy = \"1MiB\"\n"),
            "vm.toml:2:1: unknown key 'memroy' in [machine]; did you mean 'memory'?");
  EXPECT_EQ(refusal("[machine]\n  cpu_quota = 5\n"),
            "vm.toml:2:3: unknown key 'cpu_quota' in [machine]");
}

TEST(TomlReader, TellsWhereAMisplacedKeyBelongs) {
  EXPECT_EQ(refusal("[machine]\ncmdline = \"quiet\"\n"),
            "vm.toml:2:1: unknown key 'cmdline' in [machine]; it belongs in [kernel]");
  EXPECT_EQ(refusal("vcpus = 2\n"),
            "vm.toml:1:1: unknown key 'vcpus' outside of a table; it belongs in [machine]");
  EXPECT_EQ(
      refusal("path = \"x\"\n"),
      "vm.toml:1:1: unknown key 'path' outside of a table; it belongs in [kernel] or [block] or "
      "[serial]");
}

TEST(TomlReader, RefusesUnknownTables) {
  EXPECT_EQ(refusal("[machin]\nvcpus = 2\n"),
            "vm.toml:1:2: unknown table 'machin'; did you mean 'machine'?");
  EXPECT_EQ(refusal("[network]\n"), "vm.toml:1:2: unknown table 'network'");
}

TEST(TomlReader, RefusesAValueForATable) {
  EXPECT_EQ(refusal("kernel = \"vmlinux\"\n"),
            "vm.toml:1:10: 'kernel' must be a table, not a string -- write [kernel] and its keys "
            "below");
  EXPECT_EQ(refusal("[[machine]]\nvcpus = 1\n"),
            "vm.toml:1:1: 'machine' must be a table, not an array -- write [machine] and its keys "
            "below");
}

TEST(TomlReader, RefusesWrongTypes) {
  EXPECT_EQ(refusal("kernel.path = 3"),
            "vm.toml:1:15: 'kernel.path' must be a string, not an integer");
  EXPECT_EQ(refusal("kernel.cmdline = [\"quiet\"]"),
            "vm.toml:1:18: 'kernel.cmdline' must be a string, not an array");
  EXPECT_EQ(refusal("machine.acpi = \"yes\""),
            "vm.toml:1:16: 'machine.acpi' must be true or false, not a string");
  EXPECT_EQ(refusal("machine.legacy = 0"),
            "vm.toml:1:18: 'machine.legacy' must be true or false, not an integer");
  EXPECT_EQ(refusal("machine.vcpus = 1.5"),
            "vm.toml:1:17: 'machine.vcpus' must be a whole number from 1 to 32, not a "
            "floating-point number");
  EXPECT_EQ(refusal("machine.vcpus = { count = 1 }"),
            "vm.toml:1:17: 'machine.vcpus' must be a whole number from 1 to 32, not a table");
  EXPECT_EQ(refusal("machine.memory = 128"),
            "vm.toml:1:18: 'machine.memory' must be a string with a unit, as in \"128MiB\", not an "
            "integer");
  EXPECT_EQ(refusal("serial.mode = 2026-01-01"),
            "vm.toml:1:15: 'serial.mode' must be \"stdio\", \"file\", \"pty\" or \"none\", not a "
            "date or time");
}

TEST(TomlReader, RefusesNumbersOutOfRange) {
  EXPECT_EQ(refusal("machine.vcpus = 33"),
            "vm.toml:1:17: 'machine.vcpus' must be a whole number from 1 to 32, not 33");
  EXPECT_EQ(refusal("machine.vcpus = 4294967297"),
            "vm.toml:1:17: 'machine.vcpus' must be a whole number from 1 to 32, not 4294967297");
  EXPECT_EQ(refusal("machine.vcpus = -1"),
            "vm.toml:1:17: 'machine.vcpus' must be a whole number from 1 to 32, not -1");
}

TEST(TomlReader, TakesWholeAndPartialCpus) {
  EXPECT_EQ(read("limits.cpu = 2").limits.cpu, 2000u);
  EXPECT_EQ(read("limits.cpu = 0.29").limits.cpu, 290u);
  EXPECT_EQ(refusal("limits.cpu = 0"),
            "vm.toml:1:14: 'limits.cpu' must be a number of CPUs from 0.01 to 1000, not 0");
  EXPECT_EQ(refusal("limits.cpu = nan"),
            "vm.toml:1:14: 'limits.cpu' must be a number of CPUs from 0.01 to 1000, not nan");
  EXPECT_EQ(refusal("limits.cpu = \"1.5\""),
            "vm.toml:1:14: 'limits.cpu' must be a number of CPUs, as in 1.5, not a string");
  EXPECT_EQ(refusal("limits.pids = 0"),
            "vm.toml:1:15: 'limits.pids' must be a whole number from 1 to 4294967295, not 0");
}

TEST(TomlReader, RefusesSizesWithoutUnit) {
  EXPECT_EQ(
      refusal("machine.memory = \"128\""),
      "vm.toml:1:18: 'machine.memory' is wrong: '128' is no size: the unit is missing -- write "
      "a whole number and KiB, MiB, GiB or TiB, as in 128MiB");
}

TEST(TomlReader, RefusesUnknownSerialModes) {
  EXPECT_EQ(refusal("serial.mode = \"stdoi\""),
            "vm.toml:1:15: 'serial.mode' must be \"stdio\", \"file\", \"pty\" or \"none\", not "
            "'stdoi'; did you mean 'stdio'?");
}

TEST(TomlReader, RefusesNulCharacters) {
  EXPECT_EQ(refusal("kernel.path = \"a\\u0000b\""),
            "vm.toml:1:15: 'kernel.path' must not contain a NUL character");
}

TEST(TomlReader, RefusesBrokenSyntaxWithItsPlace) {
  EXPECT_EQ(refusal("[machine]\nvcpus = \n").substr(0, 12), "vm.toml:2:9:");
}

TEST(TomlReader, RefusesTableNamesThatNoKeyCanHave) {
  EXPECT_EQ(refusal("[&]\n"),
            "vm.toml:1:2: Error while parsing key: expected bare key starting character or string "
            "delimiter, saw '&'");
}

TEST(TomlReader, TakesAnyLetterInQuotes) {
  EXPECT_EQ(read("kernel.path = \"/üb/日本\" # é\n").kernel.path, "/üb/日本");
}

TEST(TomlReader, RefusesLettersBeyondAsciiOutsideOfQuotes) {
  EXPECT_EQ(refusal("vcpüs = 1\n").substr(0, 12), "vm.toml:1:4:");
}

TEST(TomlReader, RefusesKeysGivenTwice) {
  EXPECT_EQ(refusal("[machine]\nvcpus = 1\nvcpus = 2\n").substr(0, 10), "vm.toml:3:");
}

TEST(TomlReader, ListsAllProblemsInTheOrderOfTheFile) {
  EXPECT_EQ(refusal("[serial]\nmode = 1\n[kernel]\npth = \"\"\npath = 2\n"),
            "3 problems:\n"
            "vm.toml:2:8: 'serial.mode' must be \"stdio\", \"file\", \"pty\" or \"none\", not an "
            "integer\n"
            "vm.toml:4:1: unknown key 'pth' in [kernel]; did you mean 'path'?\n"
            "vm.toml:5:8: 'kernel.path' must be a string, not an integer");
}

TEST(TomlReader, ListsNoMoreThanTwentyProblems) {
  std::string text;
  for (int i = 0; i < 25; ++i) text += "unknown" + std::to_string(i) + " = 1\n";
  const std::string message = refusal(text);
  EXPECT_EQ(message.substr(0, 12), "25 problems:");
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 21);
  EXPECT_EQ(message.substr(message.size() - 4), "\n...");
}

TEST(TomlReader, QuotesTheStartOfEndlessWords) {
  EXPECT_EQ(refusal(std::string(1000, 'k') + " = 1"),
            "vm.toml:1:1: unknown key '" + std::string(64, 'k') + "' outside of a table");
}

TEST(TomlReader, QuotesNoControlCharacters) {
  EXPECT_EQ(refusal("\"a\\u001b[2J\" = 1"), "vm.toml:1:1: unknown key 'a?[2J' outside of a table");
}

TEST(TomlReader, SaysWhatIsWrongWithADeviceOfTheHost) {
  const auto device = [](const std::string& line) { return refusal("[[vfio]]\n" + line + "\n"); };
  EXPECT_EQ(
      device("address = 1"),
      "vm.toml:2:11: 'vfio.address' must be a string, as in \"0000:01:10.0\", not an integer");
  EXPECT_EQ(
      device("address = \"eth0\""),
      "vm.toml:2:11: 'vfio.address' is wrong: 'eth0' is no address of a PCI function -- write "
      "domain, bus, device and function, as in 0000:01:10.0");
}

TEST(TomlReader, NamesAFileThatCannotBeOpened) {
  const auto config = read_toml_file("/nonexistent/vm.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message(),
            "cannot open '/nonexistent/vm.toml': No such file or directory (ENOENT)");
  EXPECT_EQ(config.error().fault(), Fault::kConfig);
}

/// A file that lives as long as a test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    ::close(::mkstemp(path_.data()));
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "toml-XXXXXX";
};

TEST(TomlReader, ReadsFilesLargerThanOneRead) {
  const TemporaryFile file("#" + std::string(10'000, 'x') + "\nmachine.vcpus = 7\n");
  const auto config = read_toml_file(file.path());
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->machine.vcpus, 7u);
}

TEST(TomlReader, RefusesHugeFiles) {
  const TemporaryFile file(std::string(kMiB + 1, '\n'));
  const auto config = read_toml_file(file.path());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message(),
            "'" + file.path() + "' is larger than 1MiB, which no TOML file of a VM is");
}

TEST(TomlReader, RefusesBinaryFilesOfAnySize) {
  for (const std::size_t size : {std::size_t{64}, std::size_t{2 * kMiB}}) {
    const TemporaryFile file(
        "\x7f"
        "ELF" +
        std::string(size, '\0'));
    const auto config = read_toml_file(file.path());
    ASSERT_FALSE(config);
    EXPECT_EQ(
        config.error().message(),
        "'" + file.path() + "' is a binary file, not TOML -- a kernel is passed with --kernel");
  }
}

TEST(TomlReader, NamesADirectory) {
  const auto config = read_toml_file("/");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message(), "cannot read '/': Is a directory (EISDIR)");
}

}  // namespace
}  // namespace mote
