// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "cli/doctor/examine.hpp"
#include "core/fd.hpp"
#include "jail/descriptors.hpp"
#include "jail/namespaces.hpp"
#include "jail/sandbox.hpp"

namespace mote {
namespace {

Result<int> lock_in(int report) {
  TRY(jail::close_descriptors_except({report}));
  jail::Sandbox sandbox = TRY(jail::Sandbox::enter({}));
  if (const auto code = sandbox.exit_code()) return *code;
  TRY(sandbox.lock_in());
  return 0;
}

/// A process that locks itself in as a VM's does, and says to `report` what it could not.
[[noreturn]] void try_to_lock_in(int report) {
  const auto code = lock_in(report);
  if (code) ::_exit(*code);
  const std::string& why = code.error().message();
  ::_exit(::write(report, why.data(), why.size()) < 0 ? 2 : 1);
}

std::string read_all(int fd) {
  std::string text;
  char part[256];
  for (;;) {
    const ssize_t size = ::read(fd, part, sizeof(part));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(part, static_cast<std::size_t>(size));
  }
}

Finding refusal(std::string why) {
  return {"confinement", "sandbox", Mark::kFatal, std::move(why), {}};
}

}  // namespace

void examine_sandbox(Diagnosis& diagnosis) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) {
    diagnosis.findings.push_back(refusal(Error::from_errno(errno, "cannot fork").message()));
    return;
  }
  if (child == 0) try_to_lock_in(writer.get());
  writer.reset();
  std::string why = read_all(reader.get());
  int status = 0;
  ::waitpid(child, &status, 0);
  if (why.empty() && status == 0) {
    diagnosis.findings.push_back({"confinement",
                                  "sandbox",
                                  Mark::kOk,
                                  jail::is_privileged()
                                      ? "by privilege: each VM is a user of its own"
                                      : "by a user namespace: VMs run as this user",
                                  {}});
  } else {
    diagnosis.findings.push_back(
        refusal(why.empty() ? "a process that locked itself in was ended" : std::move(why)));
  }
}

}  // namespace mote
