// SPDX-License-Identifier: Apache-2.0
#include "cli/exit_code.hpp"

namespace mote {
namespace {

constexpr ExitCodeText kExitCodes[] = {
    {ExitCode::kPowerOff, "the guest powered off"},
    {ExitCode::kHostFailure, "the host failed: no KVM, or a system call failed"},
    {ExitCode::kUsage, "the command line or the configuration is wrong"},
    {ExitCode::kImageRefused, "a guest image was refused"},
    {ExitCode::kApiRefused, "the API refused what 'mote ctl' asked"},
    {ExitCode::kReset, "the guest asked for a reset"},
    {ExitCode::kTripleFault, "the guest triple-faulted"},
    {ExitCode::kVcpuFailure, "KVM could not go on with a vCPU"},
    {ExitCode::kUserEscape, "ended by the user with Ctrl-a x"},
    {ExitCode::kStopped, "a client of the API stopped the VM"},
    {ExitCode::kForbiddenCall, "the monitor made a forbidden system call"},
    {ExitCode::kInterrupted, "ended by SIGINT"},
    {ExitCode::kTerminated, "ended by SIGTERM"},
};

}  // namespace

std::span<const ExitCodeText> exit_codes() {
  return kExitCodes;
}

}  // namespace mote
