// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/console_end.hpp"

#include <fcntl.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

namespace mote {
namespace {

Result<ConsoleEnd> open_pty() {
  int master_fd = -1;
  int slave_fd = -1;
  char name[64] = "";
  termios raw{};
  ::cfmakeraw(&raw);
  if (::openpty(&master_fd, &slave_fd, name, &raw, nullptr) != 0) {
    return Error::from_errno(errno, "cannot open a pty for the serial port",
                             "is /dev/pts mounted, and below its limit (kernel.pty.max)?");
  }
  ::fcntl(master_fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(slave_fd, F_SETFD, FD_CLOEXEC);
  return ConsoleEnd{.input = master_fd,
                    .output = master_fd,
                    .pty_path = name,
                    .owned = UniqueFd(master_fd),
                    .pty_slave = UniqueFd(slave_fd)};
}

}  // namespace

Result<ConsoleEnd> ConsoleEnd::open(const SerialConfig& config) {
  ConsoleEnd end;
  switch (config.mode) {
    case SerialMode::kStdio:
      end.input = STDIN_FILENO;
      end.output = STDOUT_FILENO;
      end.is_terminal = ::isatty(STDIN_FILENO) != 0;
      break;
    case SerialMode::kFile:
      end.owned = TRY(open_file(config.path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY,
                                "the serial port writes there; name a file in a folder that this "
                                "user may write"));
      end.output = end.owned.get();
      break;
    case SerialMode::kPty:
      return open_pty();
    case SerialMode::kNone:
      break;
  }
  return end;
}

Result<ConsoleEnd> ConsoleEnd::duplicate() const {
  ConsoleEnd copy{.input = input,
                  .output = output,
                  .is_terminal = is_terminal,
                  .pty_path = pty_path,
                  .owned = TRY(mote::duplicate(owned)),
                  .pty_slave = TRY(mote::duplicate(pty_slave))};
  for (int* const way : {&copy.input, &copy.output}) {
    if (owned && *way == owned.get()) *way = copy.owned.get();
  }
  return copy;
}

}  // namespace mote
