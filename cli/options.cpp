// SPDX-License-Identifier: Apache-2.0
#include "cli/options.hpp"

#include <charconv>

#include "core/text.hpp"
#include "vmm/config/block_option.hpp"
#include "vmm/config/limit_option.hpp"
#include "vmm/config/nearest.hpp"
#include "vmm/config/net_option.hpp"
#include "vmm/config/option_words.hpp"
#include "vmm/config/size.hpp"

namespace mote {
namespace {

Result<void> set_kernel(std::string_view argument, VmConfig& config) {
  config.kernel.path = argument;
  return {};
}

Result<void> set_initrd(std::string_view argument, VmConfig& config) {
  config.kernel.initrd = argument;
  return {};
}

Result<void> set_cmdline(std::string_view argument, VmConfig& config) {
  config.kernel.cmdline = argument;
  return {};
}

Result<void> set_number(std::string_view argument, const char* of_what, u32 least, u32 most,
                        u32& number) {
  const char* const end = argument.data() + argument.size();
  const auto [rest, error] = std::from_chars(argument.data(), end, number);
  if (error != std::errc{} || rest != end) {
    return Error::config("'" + std::string(argument) +
                         format("' is no number of %s -- choose %u to %u", of_what, least, most));
  }
  return {};
}

Result<void> set_vcpus(std::string_view argument, VmConfig& config) {
  return set_number(argument, "vCPUs", 1, kMaxVcpus, config.machine.vcpus);
}

Result<void> set_io_threads(std::string_view argument, VmConfig& config) {
  return set_number(argument, "I/O threads", 1, kMaxIoThreads, config.machine.io_threads);
}

Result<void> set_poll_us(std::string_view argument, VmConfig& config) {
  return set_number(argument, "microseconds", 0, kMaxPollUs, config.machine.poll_us);
}

Result<void> set_registered_buffers(std::string_view, VmConfig& config) {
  config.machine.registered_buffers = true;
  return {};
}

Result<void> set_announce(std::string_view argument, VmConfig& config) {
  if (argument == "auto") {
    config.machine.announce = Announce::kAuto;
  } else if (argument == "cmdline") {
    config.machine.announce = Announce::kCmdline;
  } else if (argument == "acpi") {
    config.machine.announce = Announce::kAcpi;
  } else {
    return Error::config("'" + std::string(argument) +
                         "' is no way to announce devices -- choose auto, cmdline or acpi");
  }
  return {};
}

Result<void> set_transport(std::string_view argument, VmConfig& config) {
  config.machine.transport = TRY(parse_transport(argument));
  return {};
}

Result<void> add_block(std::string_view argument, VmConfig& config) {
  config.blocks.push_back(TRY(parse_block_option(argument)));
  return {};
}

Result<void> add_net(std::string_view argument, VmConfig& config) {
  config.nets.push_back(TRY(parse_net_option(argument)));
  return {};
}

Result<void> add_vfio(std::string_view argument, VmConfig& config) {
  config.vfios.push_back({.address = TRY(parse_pci_address(argument))});
  return {};
}

Result<void> set_memory(std::string_view argument, VmConfig& config) {
  config.machine.memory_bytes = TRY(parse_size(argument));
  return {};
}

Result<void> set_limits(std::string_view argument, VmConfig& config) {
  return parse_limit_option(argument, config.limits);
}

Result<void> set_huge_pages(std::string_view, VmConfig& config) {
  config.machine.huge_pages = true;
  return {};
}

Result<void> clear_legacy(std::string_view, VmConfig& config) {
  config.machine.legacy = false;
  return {};
}

Result<void> clear_acpi(std::string_view, VmConfig& config) {
  config.machine.acpi = false;
  return {};
}

Result<void> set_serial(std::string_view argument, VmConfig& config) {
  constexpr std::string_view kFilePrefix = "file:";
  config.serial = {};
  if (argument == "stdio") {
    config.serial.mode = SerialMode::kStdio;
  } else if (argument == "none") {
    config.serial.mode = SerialMode::kNone;
  } else if (argument == "pty") {
    config.serial.mode = SerialMode::kPty;
  } else if (argument.starts_with(kFilePrefix) && argument.size() > kFilePrefix.size()) {
    config.serial.mode = SerialMode::kFile;
    config.serial.path = argument.substr(kFilePrefix.size());
  } else {
    return Error::config(
        "'" + std::string(argument) +
        "' is no place for the serial port -- choose stdio, none, pty or file:PATH");
  }
  return {};
}

Result<void> clear_sandbox(std::string_view, VmConfig& config) {
  config.sandbox.enabled = false;
  return {};
}

Result<void> set_uid(std::string_view argument, VmConfig& config) {
  return set_number(argument, "a user", kMinSandboxId, kMaxSandboxId, config.sandbox.uid.emplace());
}

Result<void> set_gid(std::string_view argument, VmConfig& config) {
  return set_number(argument, "a group", kMinSandboxId, kMaxSandboxId,
                    config.sandbox.gid.emplace());
}

Result<void> set_timeline(std::string_view argument, VmConfig& config) {
  if (argument.empty()) {
    config.timeline.table = true;
  } else {
    config.timeline.json_path = argument;
  }
  return {};
}

using Argument = Option::Argument;

// What commands that run a VM have in common.
constexpr Option kUid = {"uid", Argument::kRequired, "N",
                         "user that root's VM runs as (default: one of its own)", set_uid};
constexpr Option kGid = {"gid", Argument::kRequired, "N",
                         "group that root's VM runs as (default: as its user)", set_gid};
constexpr Option kNoSandbox = {"no-sandbox", Argument::kNone, "",
                               "do not confine the monitor: for debugging", clear_sandbox};
constexpr Option kLimit = {"limit", Argument::kRequired, "LIMITS",
                           "what the VM may take: cpu=1.5,memory=256MiB,pids=32...", set_limits};

constexpr Option kVfio = {"vfio", Argument::kRequired, "ADDR",
                          "a PCI function of the host: see 'mote vfio'", add_vfio};

constexpr Option kRunOptions[] = {
    {"kernel", Argument::kRequired, "FILE", "guest kernel: PVH or 64-bit ELF, or bzImage",
     set_kernel},
    {"initrd", Argument::kRequired, "FILE", "initial RAM disk", set_initrd},
    {"cmdline", Argument::kRequired, "TEXT", "command line of the guest", set_cmdline},
    {"vcpus", Argument::kRequired, "N", "number of vCPUs, 1 to 32 (default 1)", set_vcpus},
    {"memory", Argument::kRequired, "SIZE", "guest RAM, as in 512KiB or 2GiB (default 128MiB)",
     set_memory},
    {"block", Argument::kRequired, "DISK", "a disk: FILE[,read_only][,root][,cache=direct]...",
     add_block},
    {"net", Argument::kRequired, "NET", "a network interface: TAP[,mac=MAC][,queues=N]...",
     add_net},
    kVfio,
    {"io-threads", Argument::kRequired, "N", "threads that serve devices, 1 to 8 (default 1)",
     set_io_threads},
    {"poll-us", Argument::kRequired, "N",
     "longest look for work before sleep (default 30; 0: none)", set_poll_us},
    {"registered-buffers", Argument::kNone, "", "pin guest RAM for the I/O of disks",
     set_registered_buffers},
    {"announce", Argument::kRequired, "HOW", "tell of devices by auto (default), cmdline or acpi",
     set_announce},
    {"transport", Argument::kRequired, "BUS", "reach devices by mmio (default) or pci",
     set_transport},
    {"huge-pages", Argument::kNone, "", "back guest RAM with 2 MiB pages of the host",
     set_huge_pages},
    {"no-legacy", Argument::kNone, "", "leave out CMOS/RTC, PIC and PIT", clear_legacy},
    {"no-acpi", Argument::kNone, "", "leave out the ACPI tables", clear_acpi},
    {"serial", Argument::kRequired, "WHERE", "serial port: stdio (default), none, pty, file:PATH",
     set_serial},
    kUid,
    kGid,
    kNoSandbox,
    kLimit,
    {"timeline", Argument::kOptional, "FILE", "print the boot timeline; to FILE as a Chrome trace",
     set_timeline},
    {"help", Argument::kNone, "", "show this text", nullptr},
};

constexpr Option kServeOptions[] = {
    {"api-sock", Argument::kRequired, "PATH", "Unix socket that the API is served at", nullptr},
    {"id", Argument::kRequired, "ID", "what the VM is called (default anonymous-instance)",
     nullptr},
    {"config-file", Argument::kRequired, "FILE", "start the VM that FILE.json or FILE.toml says",
     nullptr},
    {"no-api", Argument::kNone, "", "serve no socket; with --config-file", nullptr},
    {"dir", Argument::kRequired, "FOLDER", "let clients name files below FOLDER; may be repeated",
     nullptr},
    {"tap", Argument::kRequired, "NAME", "let clients name this tap; may be repeated", nullptr},
    kVfio,
    {"log-path", Argument::kRequired, "FILE", "file or FIFO that the log goes to", nullptr},
    {"log-level", Argument::kRequired, "LEVEL", "off, error, warning (default), info or debug",
     nullptr},
    {"log-format", Argument::kRequired, "HOW", "plain (default), firecracker or json", nullptr},
    {"metrics-path", Argument::kRequired, "FILE", "file or FIFO that metrics go to, as JSON lines",
     nullptr},
    kUid,
    kGid,
    kNoSandbox,
    kLimit,
    {"help", Argument::kNone, "", "show this text", nullptr},
};

constexpr Option kDoctorOptions[] = {
    {"json", Argument::kNone, "", "write the findings as JSON", nullptr},
    {"help", Argument::kNone, "", "show this text", nullptr},
};

constexpr Option kCtlOptions[] = {
    {"api-sock", Argument::kRequired, "PATH", "socket of the VM's API; always needed", nullptr},
    {"timeout", Argument::kRequired, "MS", "stop: milliseconds for the guest (default 10000)",
     nullptr},
    {"json", Argument::kNone, "", "status: as JSON", nullptr},
    {"address", Argument::kRequired, "ADDR", "vfio add: the PCI function of the host", nullptr},
    {"force", Argument::kNone, "", "vfio remove: without asking the guest", nullptr},
    {"path", Argument::kRequired, "FILE", "drive: the new file, as the VM's process finds it",
     nullptr},
    {"bandwidth", Argument::kRequired, "RATE", "drive: bytes, as in 10MiB,burst=64MiB or none",
     nullptr},
    {"operations", Argument::kRequired, "RATE", "drive: requests, as in 500,refill_ms=100",
     nullptr},
    {"rx-bandwidth", Argument::kRequired, "RATE", "net: bytes to the guest", nullptr},
    {"rx-frames", Argument::kRequired, "RATE", "net: frames to the guest", nullptr},
    {"tx-bandwidth", Argument::kRequired, "RATE", "net: bytes from the guest", nullptr},
    {"tx-frames", Argument::kRequired, "RATE", "net: frames from the guest", nullptr},
    {"help", Argument::kNone, "", "show this text", nullptr},
};

constexpr Option kSeccompOptions[] = {
    {"role", Argument::kRequired, "ROLE", "only this role; see the table for them", nullptr},
    {"json", Argument::kNone, "", "write the table as JSON", nullptr},
    {"help", Argument::kNone, "", "show this text", nullptr},
};

constexpr Option kVfioOptions[] = {
    {"pf", Argument::kRequired, "ADDR", "prepare: physical function to make virtual ones of",
     nullptr},
    {"vfs", Argument::kRequired, "N", "prepare: how many virtual ones it shall have", nullptr},
    {"bind", Argument::kRequired, "ADDR", "prepare: function to give to vfio-pci; may be repeated",
     nullptr},
    {"json", Argument::kNone, "", "list: as JSON", nullptr},
    {"help", Argument::kNone, "", "show this text", nullptr},
};

Error unknown_option(std::string_view command, std::string_view word,
                     std::span<const Option> options) {
  std::vector<std::string> spelled;
  for (const Option& option : options) spelled.push_back("--" + std::string(option.name));
  const std::vector<std::string_view> known(spelled.begin(), spelled.end());
  return Error::config("unknown option '" + std::string(word) + "'" + did_you_mean(word, known) +
                       " -- '" + std::string(command) + " --help' lists the options");
}

/// `word` as it was typed, up to the equals sign.
const Option* find_option(std::string_view word, std::span<const Option> options) {
  if (word == "-h") word = "--help";
  if (!word.starts_with("--")) return nullptr;
  for (const Option& option : options) {
    if (option.name == word.substr(2)) return &option;
  }
  return nullptr;
}

}  // namespace

std::span<const Option> run_options() {
  return kRunOptions;
}

std::span<const Option> serve_options() {
  return kServeOptions;
}

std::span<const Option> doctor_options() {
  return kDoctorOptions;
}

std::span<const Option> ctl_options() {
  return kCtlOptions;
}

std::span<const Option> seccomp_options() {
  return kSeccompOptions;
}

std::span<const Option> vfio_options() {
  return kVfioOptions;
}

bool CommandLine::has(std::string_view name) const {
  for (const Setting& setting : settings) {
    if (setting.option->name == name) return true;
  }
  return false;
}

const std::string* CommandLine::argument(std::string_view name) const {
  const std::string* last = nullptr;
  for (const Setting& setting : settings) {
    if (setting.option->name == name) last = &setting.argument;
  }
  return last;
}

Result<CommandLine> parse_command_line(std::string_view command, std::span<const Option> options,
                                       std::span<const char* const> words) {
  CommandLine line;
  bool options_ended = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (options_ended || word == "-" || !word.starts_with('-')) {
      line.operands.emplace_back(word);
      continue;
    }
    if (word == "--") {
      options_ended = true;
      continue;
    }
    const std::size_t equals = word.find('=');
    const bool attached = equals != std::string_view::npos;
    const std::string_view name = word.substr(0, equals);
    const Option* option = find_option(name, options);
    if (option == nullptr) return unknown_option(command, name, options);

    std::string_view argument = attached ? word.substr(equals + 1) : std::string_view{};
    if (attached && option->argument == Argument::kNone) {
      return Error::config("option '" + std::string(name) + "' takes no argument");
    }
    if (option->argument == Argument::kRequired && !attached) {
      if (i + 1 == words.size()) {
        return Error::config("option '" + std::string(name) + "' needs an argument: " +
                             std::string(name) + " " + std::string(option->metavar));
      }
      argument = words[++i];
    }
    if (attached && argument.empty() && option->argument == Argument::kOptional) {
      return Error::config("option '" + std::string(name) + "=' names no " +
                           std::string(option->metavar));
    }
    line.settings.push_back({option, std::string(argument)});
  }
  return line;
}

Result<void> apply_settings(const CommandLine& line, VmConfig& config) {
  for (const CommandLine::Setting& setting : line.settings) {
    if (setting.option->apply == nullptr) continue;
    auto applied = setting.option->apply(setting.argument, config);
    if (!applied)
      return std::move(applied).error().within("--" + std::string(setting.option->name));
  }
  return {};
}

}  // namespace mote
