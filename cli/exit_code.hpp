// SPDX-License-Identifier: Apache-2.0
// What the process says with its exit code: one table for the program, its help and its documents.
#pragma once

#include <span>

#include "core/result.hpp"

namespace mote {

/// Exit codes of the program. They are an interface: never renumber one (docs/exit-codes.md).
enum class ExitCode : int {
  kPowerOff = 0,        ///< the guest switched itself off; other commands: done
  kHostFailure = 1,     ///< the host lacks something or a system call failed
  kUsage = 2,           ///< the command line or the configuration is wrong
  kImageRefused = 3,    ///< a guest image was refused
  kApiRefused = 4,      ///< the API that was asked refused it
  kReset = 16,          ///< the guest asked for a reset
  kTripleFault = 17,    ///< the guest triple-faulted
  kVcpuFailure = 18,    ///< KVM could not go on with a vCPU
  kUserEscape = 20,     ///< the user typed Ctrl-a x
  kStopped = 21,        ///< a client of the API had the VM stopped
  kForbiddenCall = 32,  ///< a thread made a system call that its role may not make
  kInterrupted = 130,   ///< SIGINT
  kTerminated = 143,    ///< SIGTERM
};

/// An exit code in words.
struct ExitCodeText {
  ExitCode code;
  const char* meaning;
};

/// Every exit code, ascending.
std::span<const ExitCodeText> exit_codes();

/// The exit code for a failure that ends the program.
constexpr ExitCode exit_code_for(Fault fault) {
  switch (fault) {
    case Fault::kConfig:
      return ExitCode::kUsage;
    case Fault::kImage:
      return ExitCode::kImageRefused;
    case Fault::kHost:
      break;
  }
  return ExitCode::kHostFailure;
}

}  // namespace mote
