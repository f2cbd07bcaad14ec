// SPDX-License-Identifier: Apache-2.0
// Behaviour of the options: what they set, and the words for what is wrong with them.
#include "cli/options.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

Result<CommandLine> parse(std::vector<const char*> words) {
  return parse_command_line("mote run", run_options(), words);
}

/// The words applied over `config`.
VmConfig apply(std::vector<const char*> words, VmConfig config = {}) {
  const auto line = parse(std::move(words));
  EXPECT_TRUE(line) << line.error().message();
  if (!line) return {};
  const auto applied = apply_settings(*line, config);
  EXPECT_TRUE(applied) << applied.error().message();
  return config;
}

std::string refusal(std::vector<const char*> words) {
  const auto line = parse(std::move(words));
  if (!line) return line.error().message();
  VmConfig config;
  const auto applied = apply_settings(*line, config);
  if (!applied) {
    EXPECT_EQ(applied.error().fault(), Fault::kConfig);
  }
  return applied ? "accepted" : applied.error().message();
}

TEST(RunOptions, SetTheKernel) {
  const VmConfig config =
      apply({"--kernel", "vmlinux", "--initrd", "initrd", "--cmdline", "console=ttyS0 quiet"});
  EXPECT_EQ(config.kernel, (KernelConfig{"vmlinux", "initrd", "console=ttyS0 quiet"}));
}

TEST(RunOptions, SetTheMachine) {
  const VmConfig config =
      apply({"--vcpus", "4", "--memory", "1GiB", "--huge-pages", "--no-legacy", "--no-acpi"});
  EXPECT_EQ(config.machine, (MachineConfig{4, kGiB, true, false, false}));
}

TEST(RunOptions, TakeArgumentsBehindAnEqualsSign) {
  EXPECT_EQ(apply({"--cmdline=root=/dev/vda"}).kernel.cmdline, "root=/dev/vda");
}

TEST(RunOptions, TakeAnEmptyArgument) {
  VmConfig config;
  config.kernel.cmdline = "quiet";
  EXPECT_EQ(apply({"--cmdline", ""}, config).kernel.cmdline, "");
  EXPECT_EQ(apply({"--cmdline="}, config).kernel.cmdline, "");
}

TEST(RunOptions, TakeArgumentsThatLookLikeOptions) {
  EXPECT_EQ(apply({"--cmdline", "--verbose"}).kernel.cmdline, "--verbose");
}

TEST(RunOptions, LeaveWhatTheyDoNotNameAsItWas) {
  VmConfig config;
  config.machine.vcpus = 8;
  config.serial = {SerialMode::kFile, "log"};
  const VmConfig applied = apply({"--memory", "1MiB"}, config);
  EXPECT_EQ(applied.machine.vcpus, 8u);
  EXPECT_EQ(applied.serial, config.serial);
}

TEST(RunOptions, LetTheLastOneWin) {
  EXPECT_EQ(apply({"--vcpus", "2", "--vcpus", "3"}).machine.vcpus, 3u);
}

TEST(RunOptions, SetTheSerialPort) {
  EXPECT_EQ(apply({"--serial", "stdio"}).serial, (SerialConfig{SerialMode::kStdio, ""}));
  EXPECT_EQ(apply({"--serial", "none"}).serial, (SerialConfig{SerialMode::kNone, ""}));
  EXPECT_EQ(apply({"--serial", "pty"}).serial, (SerialConfig{SerialMode::kPty, ""}));
  EXPECT_EQ(apply({"--serial", "file:a/b:c"}).serial, (SerialConfig{SerialMode::kFile, "a/b:c"}));
}

TEST(RunOptions, ReplaceAllOfTheSerialPort) {
  VmConfig config;
  config.serial = {SerialMode::kFile, "log"};
  EXPECT_EQ(apply({"--serial", "none"}, config).serial, (SerialConfig{SerialMode::kNone, ""}));
}

TEST(RunOptions, SetTheTimeline) {
  EXPECT_EQ(apply({"--timeline"}).timeline, (TimelineConfig{true, ""}));
  EXPECT_EQ(apply({"--timeline=t.json"}).timeline, (TimelineConfig{false, "t.json"}));
  EXPECT_EQ(apply({"--timeline", "--timeline=t.json"}).timeline, (TimelineConfig{true, "t.json"}));
}

TEST(RunOptions, SetTheSandbox) {
  EXPECT_EQ(apply({}).sandbox, (SandboxConfig{true, {}, {}}));
  EXPECT_EQ(apply({"--no-sandbox"}).sandbox, (SandboxConfig{false, {}, {}}));
  EXPECT_EQ(apply({"--uid", "7", "--gid", "4294967294"}).sandbox,
            (SandboxConfig{true, 7, 4294967294}));
}

TEST(RunOptions, LeaveTheWordAfterAnOptionalArgumentAlone) {
  const auto line = parse({"--timeline", "vm.toml"});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->operands, std::vector<std::string>{"vm.toml"});
}

TEST(RunOptions, SetWhatServesDisks) {
  const MachineConfig machine =
      apply({"--io-threads", "2", "--poll-us", "0", "--registered-buffers", "--announce", "acpi"})
          .machine;
  EXPECT_EQ(machine.io_threads, 2u);
  EXPECT_EQ(machine.poll_us, 0u);
  EXPECT_TRUE(machine.registered_buffers);
  EXPECT_EQ(machine.announce, Announce::kAcpi);
  EXPECT_EQ(refusal({"--io-threads", "x"}),
            "--io-threads: 'x' is no number of I/O threads -- choose 1 to 8");
  EXPECT_EQ(apply({"--transport", "pci"}).machine.transport, Transport::kPci);
  EXPECT_EQ(refusal({"--transport", "isa"}),
            "--transport: transport must be mmio or pci, not 'isa'");
  EXPECT_EQ(refusal({"--announce", "dsdt"}),
            "--announce: 'dsdt' is no way to announce devices -- choose auto, cmdline or acpi");
}

TEST(RunOptions, AddDisksBehindThoseOfTheFile) {
  VmConfig config;
  config.blocks = {{.path = "first"}};
  config = apply({"--block", "second", "--block", "third,root"}, config);
  ASSERT_EQ(config.blocks.size(), 3u);
  EXPECT_EQ(config.blocks[1], (BlockConfig{.path = "second"}));
  EXPECT_EQ(config.blocks[2], (BlockConfig{.path = "third", .root = true}));
}

TEST(RunOptions, RefuseWhatIsWrongWithADisk) {
  EXPECT_EQ(refusal({"--block", "a,readonly"}),
            "--block: unknown key 'readonly'; did you mean 'read_only'? -- id, read_only, root, "
            "queues, queue_size, cache and transport are known");
}

TEST(Options, DevicesOfTheHostFollowThoseOfTheFile) {
  VmConfig config;
  config.vfios = {{PciAddress{0, 1, 0, 0}}};
  config = apply({"--vfio", "01:10.0", "--vfio=0000:01:10.2"}, config);
  EXPECT_EQ(config.vfios, (std::vector<VfioConfig>{{PciAddress{0, 1, 0, 0}},
                                                   {PciAddress{0, 1, 0x10, 0}},
                                                   {PciAddress{0, 1, 0x10, 2}}}));
  EXPECT_EQ(refusal({"--vfio", "eth0"}).substr(0, 14), "--vfio: 'eth0'");
}

TEST(RunOptions, AddInterfacesBehindThoseOfTheFile) {
  VmConfig config;
  config.nets = {{.tap = "first"}};
  config = apply({"--net", "second", "--net=fd=5,mtu=9000"}, config);
  ASSERT_EQ(config.nets.size(), 3u);
  EXPECT_EQ(config.nets[1], (NetConfig{.tap = "second"}));
  EXPECT_EQ(config.nets[2], (NetConfig{.fds = {5}, .mtu = 9000}));
  EXPECT_EQ(refusal({"--net", "a,macs=1"}),
            "--net: unknown key 'macs'; did you mean 'mac'? -- fd, id, mac, mtu, queues, "
            "queue_size and transport are known");
}

TEST(RunOptions, RefuseWhatIsNoNumberOfVcpus) {
  for (const char* word : {"four", "", "4x", "-1", "1.5", "99999999999"}) {
    EXPECT_EQ(refusal({"--vcpus", word}),
              "--vcpus: '" + std::string(word) + "' is no number of vCPUs -- choose 1 to 32");
  }
}

TEST(RunOptions, RefuseWhatIsNoSize) {
  EXPECT_EQ(refusal({"--memory", "128"}),
            "--memory: '128' is no size: the unit is missing -- write a whole number and KiB, MiB, "
            "GiB or TiB, as in 128MiB");
}

TEST(RunOptions, RefuseUnknownPlacesForTheSerialPort) {
  for (const char* word : {"tty", "file", "file:", ""}) {
    EXPECT_EQ(refusal({"--serial", word}),
              "--serial: '" + std::string(word) +
                  "' is no place for the serial port -- choose stdio, none, pty or file:PATH");
  }
}

TEST(CommandLine, SuggestsTheNearestOption) {
  EXPECT_EQ(refusal({"--kernal", "x"}),
            "unknown option '--kernal'; did you mean '--kernel'? -- 'mote run --help' lists the "
            "options");
  EXPECT_EQ(refusal({"--memroy=1GiB"}),
            "unknown option '--memroy'; did you mean '--memory'? -- 'mote run --help' lists the "
            "options");
}

TEST(CommandLine, SuggestsNothingForAStrangeOption) {
  EXPECT_EQ(refusal({"--bandwidth"}),
            "unknown option '--bandwidth' -- 'mote run --help' lists the options");
}

TEST(CommandLine, KnowsNoAbbreviations) {
  EXPECT_EQ(refusal({"--kern", "x"}),
            "unknown option '--kern'; did you mean '--kernel'? -- 'mote run --help' lists the "
            "options");
}

TEST(CommandLine, WantsTheArgumentThatAnOptionNeeds) {
  EXPECT_EQ(refusal({"--kernel"}), "option '--kernel' needs an argument: --kernel FILE");
}

TEST(CommandLine, RefusesAnArgumentThatAnOptionHasNot) {
  EXPECT_EQ(refusal({"--no-acpi=1"}), "option '--no-acpi' takes no argument");
}

TEST(CommandLine, RefusesAnEqualsSignWithoutAFile) {
  EXPECT_EQ(refusal({"--timeline="}), "option '--timeline=' names no FILE");
}

TEST(CommandLine, KeepsOperandsInTheirOrder) {
  const auto line = parse({"a.toml", "--vcpus", "2", "b.toml"});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->operands, (std::vector<std::string>{"a.toml", "b.toml"}));
}

TEST(CommandLine, EndsTheOptionsAtTwoDashes) {
  const auto line = parse({"--no-acpi", "--", "--kernel"});
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->has("no-acpi"));
  EXPECT_FALSE(line->has("kernel"));
  EXPECT_EQ(line->operands, std::vector<std::string>{"--kernel"});
}

TEST(CommandLine, KnowsTheShortFormOfHelp) {
  const auto line = parse({"-h"});
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->has("help"));
}

TEST(DoctorOptions, KnowJson) {
  const char* const words[] = {"--json"};
  const auto line = parse_command_line("mote doctor", doctor_options(), words);
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->has("json"));
}

}  // namespace
}  // namespace mote
