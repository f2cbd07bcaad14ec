// SPDX-License-Identifier: Apache-2.0
#include "cli/help.hpp"

#include "cli/ctl_request.hpp"
#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "core/text.hpp"

namespace mote {
namespace {

/// Width of the left column of all lists.
constexpr int kColumn = 18;

std::string row(std::string_view left, std::string_view right) {
  return format("  %-*s %.*s\n", kColumn, std::string(left).c_str(), static_cast<int>(right.size()),
                right.data());
}

std::string option_rows(std::span<const Option> options) {
  std::string text = "Options:\n";
  for (const Option& option : options) {
    std::string left = "--" + std::string(option.name);
    if (option.argument == Option::Argument::kRequired) left += " " + std::string(option.metavar);
    if (option.argument == Option::Argument::kOptional) {
      left += "[=" + std::string(option.metavar) + "]";
    }
    text += row(left, option.help);
  }
  return text;
}

std::string exit_code_rows() {
  std::string text = "\nExit codes:\n";
  for (const ExitCodeText& exit_code : exit_codes()) {
    text += row(std::to_string(static_cast<int>(exit_code.code)), exit_code.meaning);
  }
  return text;
}

}  // namespace

std::string program_help(std::span<const Command> commands) {
  std::string text =
      "Usage: mote COMMAND [OPTION]...\n"
      "\n"
      "Runs a unikernel or a Linux guest in a micro-VM on KVM.\n"
      "\n"
      "Commands:\n";
  for (const Command& command : commands) text += row(command.name, command.help);
  text += "\nOptions:\n";
  text += row("--version", "show the version");
  text += row("--help", "show this text; 'mote COMMAND --help' shows a command's own");
  return text;
}

std::string run_help() {
  std::string text =
      "Usage: mote run [VM.toml] [OPTION]...\n"
      "\n"
      "Boots a guest and stays until it ends. What VM.toml says, options override.\n"
      "With the serial port on a terminal, Ctrl-a x ends the VM.\n"
      "\n";
  text += option_rows(run_options());
  return text + exit_code_rows();
}

std::string serve_help() {
  return "Usage: mote serve --api-sock PATH [OPTION]...\n"
         "\n"
         "Serves the API of one VM, which clients configure, start and drive; ends with\n"
         "it. They name files below --dir and taps of --tap, or pass descriptors.\n"
         "\n" +
         option_rows(serve_options()) + exit_code_rows();
}

std::string firecracker_help(std::span<const Option> options) {
  return "Usage: firecracker [OPTION]...\n"
         "\n"
         "Mote, called as Firecracker: serves the API of one VM.\n"
         "\n" +
         option_rows(options);
}

std::string doctor_help() {
  return "Usage: mote doctor [OPTION]...\n"
         "\n"
         "Lists what this host offers a VM, what is missing and how to get it.\n"
         "Ends with exit code 0 when Mote can run here, 1 when not.\n"
         "\n" +
         option_rows(doctor_options());
}

std::string ctl_help() {
  std::string text =
      "Usage: mote ctl --api-sock PATH VERB [ID] [OPTION]...\n"
      "\n"
      "Asks something of a VM that has an API.\n"
      "\n"
      "Verbs:\n";
  for (const CtlVerb& verb : ctl_verbs()) {
    const std::string_view gap = verb.operand.empty() ? "" : " ";
    text += row(std::string(verb.name).append(gap).append(verb.operand), verb.help);
  }
  text += "\n" + option_rows(ctl_options());
  text +=
      "\n"
      "A RATE is AMOUNT[,refill_ms=N][,burst=AMOUNT]: so much in N milliseconds (1000\n"
      "if left out), and a burst once. 'none' lifts the limit.\n";
  return text;
}

std::string seccomp_help() {
  return "Usage: mote seccomp print [OPTION]...\n"
         "\n"
         "Shows which system calls each kind of thread may make, with which arguments, and\n"
         "why. Any other call ends the VM.\n"
         "\n" +
         option_rows(seccomp_options());
}

std::string vfio_help() {
  std::string text =
      "Usage: mote vfio VERB [ADDR] [OPTION]...\n"
      "\n"
      "Readies functions of PCI devices for guests, and gives them back to the host.\n"
      "\n"
      "Verbs:\n";
  text += row("list", "show functions, and what keeps each from a guest");
  text += row("prepare", "make virtual functions; give functions to vfio-pci");
  text += row("release ADDR", "give a function back, or take a physical one's virtual away");
  return text + "\n" + option_rows(vfio_options());
}

}  // namespace mote
