// SPDX-License-Identifier: Apache-2.0
#include "cli/serve/firecracker.hpp"

#include <charconv>

#include "cli/help.hpp"
#include "cli/options.hpp"
#include "cli/serve/arguments.hpp"
#include "vmm/config/resources.hpp"

namespace mote {
namespace {

using Argument = Option::Argument;

constexpr Option kOptions[] = {
    {"api-sock", Argument::kRequired, "PATH", "Unix socket that the API is served at", nullptr},
    {"id", Argument::kRequired, "ID", "what the VM is called", nullptr},
    {"config-file", Argument::kRequired, "FILE", "start the VM that the JSON file says", nullptr},
    {"no-api", Argument::kNone, "", "serve no socket; with --config-file", nullptr},
    {"log-path", Argument::kRequired, "FILE", "file or FIFO that the log goes to", nullptr},
    {"level", Argument::kRequired, "LEVEL", "Off, Error, Warn, Info (default), Debug or Trace",
     nullptr},
    {"module", Argument::kRequired, "NAME", "accepted, of no effect", nullptr},
    {"show-level", Argument::kNone, "", "show the level in the log", nullptr},
    {"show-log-origin", Argument::kNone, "", "accepted, of no effect", nullptr},
    {"metrics-path", Argument::kRequired, "FILE", "file or FIFO that metrics go to", nullptr},
    {"no-seccomp", Argument::kNone, "", "no system call filters", nullptr},
    {"seccomp-filter", Argument::kRequired, "FILE", "refused: the filters are Mote's own", nullptr},
    {"http-api-max-payload-size", Argument::kRequired, "N", "bytes of a request's body", nullptr},
    {"boot-timer", Argument::kNone, "", "accepted: the boot clock is always there", nullptr},
    {"start-time-us", Argument::kRequired, "N", "accepted, of no effect", nullptr},
    {"start-time-cpu-us", Argument::kRequired, "N", "accepted, of no effect", nullptr},
    {"parent-cpu-time-us", Argument::kRequired, "N", "accepted, of no effect", nullptr},
    {"mmds-size-limit", Argument::kRequired, "N", "accepted, of no effect", nullptr},
    {"metadata", Argument::kRequired, "FILE", "refused: there is no metadata service", nullptr},
    {"enable-pci", Argument::kNone, "", "have devices on a PCI bus", nullptr},
    {"snapshot-version", Argument::kNone, "", "refused: there are no snapshots yet", nullptr},
    {"describe-snapshot", Argument::kRequired, "FILE", "refused: there are no snapshots yet",
     nullptr},
    {"version", Argument::kNone, "", "show the version", nullptr},
    {"help", Argument::kNone, "", "show this text", nullptr},
};

/// Flags of which the caller would miss the effect.
constexpr struct {
  std::string_view name;
  std::string_view why;
} kRefused[] = {
    {"seccomp-filter", "Mote's filters are its own; leave it out, or use --no-seccomp"},
    {"metadata", "Mote has no metadata service: serve it at the other end of an interface"},
    {"snapshot-version", "Mote takes and loads no snapshots yet"},
    {"describe-snapshot", "Mote takes and loads no snapshots yet"},
};

FirecrackerCommand print(std::string text) {
  return {.text = std::move(text)};
}

FirecrackerCommand refuse(const std::string& why, int exit_code = kFirecrackerBadArguments) {
  return {.text = "Arguments parsing error: " + why + "\n\nFor more information try --help.\n",
          .is_error = true,
          .exit_code = exit_code};
}

Result<void> take_config(const CommandLine& line, ServeOptions& options) {
  const std::string* const path = line.argument("config-file");
  if (path == nullptr) return {};
  options.config = TRY(read_json_file(*path));
  options.starts = true;
  return {};
}

/// Flags go before what the configuration file says.
void take_log_and_metrics(const CommandLine& line, ServeOptions& options) {
  if (const std::string* const path = line.argument("log-path")) {
    options.config.logger.emplace().path = *path;
    options.config.logger->level = options.log_level;
    options.config.logger->show_level = line.has("show-level");
  }
  if (const std::string* const path = line.argument("metrics-path")) {
    options.config.metrics.emplace().path = *path;
  }
}

}  // namespace

int firecracker_exit_code(ExitCode code) {
  switch (code) {
    case ExitCode::kPowerOff:
    case ExitCode::kReset:
    case ExitCode::kTripleFault:
    case ExitCode::kUserEscape:
    case ExitCode::kStopped:
      return 0;
    default:
      return kFirecrackerFailure;
  }
}

bool is_called_firecracker(std::string_view program) {
  return program.substr(program.rfind('/') + 1).starts_with("firecracker");
}

FirecrackerCommand parse_firecracker(std::span<const char* const> words) {
  const auto line = parse_command_line("firecracker", kOptions, words);
  if (!line) return refuse(line.error().message());
  if (line->has("help")) return print(firecracker_help(kOptions));
  if (line->has("version")) {
    return print("Firecracker v" + std::string(kFirecrackerVersion) + "\n\n");
  }
  if (!line->operands.empty()) {
    return refuse("Found argument '" + line->operands[0] +
                  "' which wasn't expected, or isn't valid in this context.");
  }
  for (const auto& [name, why] : kRefused) {
    if (line->has(name)) return refuse("--" + std::string(name) + ": " + std::string(why));
  }
  FirecrackerCommand command;
  ServeOptions& options = command.options;
  options.as_firecracker = true;
  options.has_filters = !line->has("no-seccomp");
  options.log_format = LogFormat::kFirecracker;
  options.log_level = LogLevel::kInfo;
  if (const std::string* const word = line->argument("level")) {
    options.log_level = parse_log_level(*word);
    if (!options.log_level) {
      return refuse("'" + *word + "' is no level of the log", kFirecrackerBadLevel);
    }
  }
  if (const auto named = take_names(*line, options); !named) return refuse(named.error().message());
  if (options.socket.empty() && !line->has("no-api")) options.socket = "/run/firecracker.socket";
  if (const std::string* const size = line->argument("http-api-max-payload-size")) {
    const char* const end = size->data() + size->size();
    if (std::from_chars(size->data(), end, options.most_body).ptr != end || size->empty()) {
      return refuse("'" + *size + "' is no number of bytes");
    }
  }
  if (const auto config = take_config(*line, options); !config) {
    return {.text = "Configuration for VMM from one single json failed: " +
                    config.error().message() + "\n",
            .is_error = true,
            .exit_code = kFirecrackerFailure};
  }
  options.config.vm.sandbox.enabled = false;
  if (line->has("enable-pci")) options.config.vm.machine.transport = Transport::kPci;
  take_log_and_metrics(*line, options);
  return command;
}

}  // namespace mote
