// SPDX-License-Identifier: Apache-2.0
// The mote program: finds the sub-command and hands it its words. Errors are printed here, once.
#include <cstdio>
#include <iterator>
#include <vector>

#include "cli/ctl.hpp"
#include "cli/doctor/examine.hpp"
#include "cli/exit_code.hpp"
#include "cli/help.hpp"
#include "cli/options.hpp"
#include "cli/run.hpp"
#include "cli/seccomp_table.hpp"
#include "cli/serve/arguments.hpp"
#include "cli/serve/firecracker.hpp"
#include "cli/serve/serve.hpp"
#include "cli/version.hpp"
#include "cli/vfio/vfio.hpp"
#include "vmm/config/nearest.hpp"
#include "vmm/config/toml_reader.hpp"
#include "vmm/config/validate.hpp"

namespace mote {
namespace {

int fail(const Error& error) {
  std::fprintf(stderr, "mote: %s\n", error.message().c_str());
  return static_cast<int>(exit_code_for(error.fault()));
}

int print(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return 0;
  return fail(Error::from_errno(errno, "cannot write to standard output"));
}

/// The VM that `line` asks for: the file first, then the options over it.
Result<VmConfig> read_config(const CommandLine& line) {
  if (line.operands.size() > 1) {
    return Error::config("'" + line.operands[1] +
                         "' is one file too many -- 'mote run' takes one "
                         "TOML file; a kernel is passed with --kernel");
  }
  VmConfig config;
  if (!line.operands.empty()) config = TRY(read_toml_file(line.operands[0]));
  TRY(apply_settings(line, config));
  TRY(validate(config));
  return config;
}

int run(std::span<const char* const> words) {
  Timeline timeline;
  const auto line = parse_command_line("mote run", run_options(), words);
  if (!line) return fail(line.error());
  if (line->has("help")) return print(run_help());
  const auto config = read_config(*line);
  if (!config) return fail(config.error());
  timeline.mark("configuration read");
  return run_command(*config, timeline);
}

int serve_api(std::span<const char* const> words) {
  Timeline timeline;
  const auto line = parse_command_line("mote serve", serve_options(), words);
  if (!line) return fail(line.error());
  if (line->has("help")) return print(serve_help());
  const auto options = serve_arguments(*line);
  if (!options) return fail(options.error());
  const auto code = serve(*options, timeline);
  return code ? static_cast<int>(*code) : fail(code.error());
}

int firecracker(std::span<const char* const> words) {
  Timeline timeline;
  const FirecrackerCommand command = parse_firecracker(words);
  if (!command.text.empty()) {
    std::fputs(command.text.c_str(), command.is_error ? stderr : stdout);
    return command.exit_code;
  }
  const auto code = serve(command.options, timeline);
  if (code) return firecracker_exit_code(*code);
  std::fprintf(stderr, "%s\n", code.error().message().c_str());
  return kFirecrackerFailure;
}

int doctor(std::span<const char* const> words) {
  const auto line = parse_command_line("mote doctor", doctor_options(), words);
  if (!line) return fail(line.error());
  if (line->has("help")) return print(doctor_help());
  if (!line->operands.empty()) {
    return fail(Error::config("'mote doctor' takes no argument '" + line->operands[0] + "'"));
  }
  const Diagnosis diagnosis = examine_host();
  const int printed =
      print(line->has("json") ? diagnosis_json(diagnosis) : diagnosis_table(diagnosis));
  if (printed != 0) return printed;
  return static_cast<int>(diagnosis.can_run() ? ExitCode::kPowerOff : ExitCode::kHostFailure);
}

int ctl(std::span<const char* const> words) {
  const auto line = parse_command_line("mote ctl", ctl_options(), words);
  if (!line) return fail(line.error());
  if (line->has("help")) return print(ctl_help());
  const auto request = ctl_request(*line);
  if (!request) return fail(request.error());
  const auto code = ctl_command(*request);
  return code ? static_cast<int>(*code) : fail(code.error());
}

int seccomp(std::span<const char* const> words) {
  const auto line = parse_command_line("mote seccomp", seccomp_options(), words);
  if (!line) return fail(line.error());
  if (line->has("help")) return print(seccomp_help());
  if (line->operands.size() != 1 || line->operands[0] != "print") {
    return fail(Error::config("'mote seccomp' does one thing -- 'mote seccomp print'"));
  }
  std::vector<ThreadRole> roles(std::begin(kThreadRoles), std::end(kThreadRoles));
  if (const std::string* const name = line->argument("role")) {
    const auto role = parse_role(*name);
    if (!role) return fail(Error(role.error()).within("--role"));
    roles = {*role};
  }
  return print(line->has("json") ? seccomp_json(roles) : seccomp_table(roles));
}

int vfio(std::span<const char* const> words) {
  const auto line = parse_command_line("mote vfio", vfio_options(), words);
  if (!line) return fail(line.error());
  if (line->has("help")) return print(vfio_help());
  const auto text = vfio_command(*line, vfio::HostFunctions());
  return text ? print(*text) : fail(text.error());
}

constexpr Command kCommands[] = {
    {"run", "boot a guest", run},
    {"serve", "serve the REST API of one VM", serve_api},
    {"ctl", "ask something of a VM that has an API", ctl},
    {"doctor", "list what this host offers and what is missing", doctor},
    {"vfio", "ready devices of the host for guests", vfio},
    {"seccomp", "show which system calls are left in the sandbox", seccomp},
};

int dispatch(std::span<const char* const> words) {
  if (words.empty()) {
    return fail(Error::config("no command given -- 'mote --help' lists the commands"));
  }
  const std::string_view word = words.front();
  for (const Command& command : kCommands) {
    if (word == command.name) return command.run(words.subspan(1));
  }
  if (word == "--help" || word == "-h" || word == "help") return print(program_help(kCommands));
  if (word == "--version") return print("mote " + std::string(kVersion) + "\n");

  std::vector<std::string_view> known = {"--help", "--version", "help"};
  for (const Command& command : kCommands) known.push_back(command.name);
  return fail(Error::config("unknown command '" + std::string(word) + "'" +
                            did_you_mean(word, known) + " -- 'mote --help' lists the commands"));
}

}  // namespace
}  // namespace mote

int main(int argc, char** argv) {
  const std::span<char*> words(argv, static_cast<std::size_t>(argc));
  const std::size_t names = argc > 0 ? 1 : 0;
  const std::span<const char* const> arguments(words.data() + names, words.size() - names);
  if (argc > 0 && mote::is_called_firecracker(words[0])) return mote::firecracker(arguments);
  return mote::dispatch(arguments);
}
