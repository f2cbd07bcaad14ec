// SPDX-License-Identifier: Apache-2.0
// Mote by the name of firecracker: what it takes, prints and ends with.
#include "cli/serve/firecracker.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

FirecrackerCommand parse(std::vector<const char*> words) {
  return parse_firecracker(words);
}

TEST(Firecracker, IsWhatItIsCalled) {
  EXPECT_TRUE(is_called_firecracker("firecracker"));
  EXPECT_TRUE(is_called_firecracker("/usr/bin/firecracker"));
  EXPECT_TRUE(is_called_firecracker("./firecracker-v1.16.1-x86_64"));
  EXPECT_FALSE(is_called_firecracker("/firecracker/mote"));
}

// Clients take the second word of the first line, without its v, for a version.
TEST(Firecracker, PrintsAVersionThatClientsParse) {
  const FirecrackerCommand command = parse({"--version"});
  EXPECT_EQ(command.text, "Firecracker v" + std::string(kFirecrackerVersion) + "\n\n");
  EXPECT_FALSE(command.is_error);
  EXPECT_EQ(command.exit_code, 0);
}

TEST(Firecracker, TakesWhatItsClientsPass) {
  const FirecrackerCommand command = parse(
      {"--id", "vm-1", "--start-time-us", "1", "--start-time-cpu-us", "2", "--parent-cpu-time-us",
       "3", "--no-seccomp", "--api-sock", "/run/x.sock", "--level", "Debug", "--show-level",
       "--log-path", "/log", "--boot-timer", "--http-api-max-payload-size", "100000"});
  EXPECT_EQ(command.text, "");
  EXPECT_EQ(command.options.id, "vm-1");
  EXPECT_EQ(command.options.socket, "/run/x.sock");
  EXPECT_FALSE(command.options.has_filters);
  EXPECT_TRUE(command.options.as_firecracker);
  EXPECT_FALSE(command.options.config.vm.sandbox.enabled);
  EXPECT_EQ(command.options.log_level, LogLevel::kDebug);
  EXPECT_EQ(command.options.config.logger->path, "/log");
  EXPECT_EQ(command.options.config.logger->show_level, true);
  EXPECT_EQ(command.options.most_body, 100000u);
}

TEST(Firecracker, HasAPlaceForItsSocket) {
  EXPECT_EQ(parse({}).options.socket, "/run/firecracker.socket");
  EXPECT_TRUE(parse({}).options.has_filters);
}

TEST(Firecracker, HasDevicesOnAPciBusIfAsked) {
  EXPECT_EQ(parse({}).options.config.vm.machine.transport, Transport::kMmio);
  EXPECT_EQ(parse({"--enable-pci"}).options.config.vm.machine.transport, Transport::kPci);
}

TEST(Firecracker, RefusesWhatItWouldNotDo) {
  for (const char* flag : {"--snapshot-version"}) {
    const FirecrackerCommand command = parse({flag});
    EXPECT_TRUE(command.is_error);
    EXPECT_EQ(command.exit_code, kFirecrackerBadArguments) << command.text;
    EXPECT_NE(command.text.find(flag), std::string::npos) << command.text;
  }
}

TEST(Firecracker, EndsAsItDoesOnAWrongCommandLine) {
  EXPECT_EQ(parse({"--what"}).exit_code, kFirecrackerBadArguments);
  EXPECT_EQ(parse({"operand"}).exit_code, kFirecrackerBadArguments);
  EXPECT_EQ(parse({"--id", "a_b"}).exit_code, kFirecrackerBadArguments);
  EXPECT_EQ(parse({"--no-api"}).exit_code, kFirecrackerBadArguments);
  EXPECT_EQ(parse({"--http-api-max-payload-size", "x"}).exit_code, kFirecrackerBadArguments);
  EXPECT_EQ(parse({"--level", "loud"}).exit_code, kFirecrackerBadLevel);
  const FirecrackerCommand no_file = parse({"--config-file", "/nonexistent.json"});
  EXPECT_EQ(no_file.exit_code, kFirecrackerFailure);
  EXPECT_NE(no_file.text.find("Configuration for VMM from one single json failed"),
            std::string::npos);
}

TEST(Firecracker, EndsAsItDoesWithItsGuest) {
  EXPECT_EQ(firecracker_exit_code(ExitCode::kPowerOff), 0);
  EXPECT_EQ(firecracker_exit_code(ExitCode::kReset), 0);
  EXPECT_EQ(firecracker_exit_code(ExitCode::kTripleFault), 0);
  EXPECT_EQ(firecracker_exit_code(ExitCode::kStopped), 0);
  EXPECT_EQ(firecracker_exit_code(ExitCode::kVcpuFailure), kFirecrackerFailure);
  EXPECT_EQ(firecracker_exit_code(ExitCode::kImageRefused), kFirecrackerFailure);
}

}  // namespace
}  // namespace mote
