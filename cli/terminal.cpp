// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.hpp"

#include <termios.h>
#include <unistd.h>

#include <csignal>

namespace mote {
namespace {

// Signal handlers can only reach what is global.
termios g_saved;
volatile std::sig_atomic_t g_is_saved = 0;

/// Signals that end the process where it stands. SIGINT and SIGTERM are served by the event loop.
constexpr int kFatalSignals[] = {SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS,
                                 SIGFPE, SIGILL,  SIGSYS,  SIGTRAP};

void restore_and_die(int signal, siginfo_t* info, void*) {
  RawTerminal::restore();
  // A fault comes again when this returns, and then the default action, which was put back, ends
  // the process.
  const bool is_fault = info->si_code > 0 && signal != SIGHUP && signal != SIGQUIT;
  if (is_fault) return;
  // WHY not raise: it needs system calls that a sealed thread may not make, and the first process
  // of a PID namespace does not die of a signal of its own.
  ::_exit(128 + signal);
}

}  // namespace

RawTerminal::RawTerminal() {
  // From the background a change of the terminal would stop the process.
  if (::tcgetattr(STDIN_FILENO, &g_saved) != 0 || ::tcgetpgrp(STDIN_FILENO) != ::getpgrp()) return;
  struct sigaction action{};
  action.sa_sigaction = &restore_and_die;
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_RESETHAND | SA_NODEFER);
  for (const int signal : kFatalSignals) ::sigaction(signal, &action, nullptr);
  g_is_saved = 1;
}

void RawTerminal::begin() {
  if (g_is_saved == 0) return;
  termios raw = g_saved;
  ::cfmakeraw(&raw);
  raw.c_oflag |= OPOST | ONLCR;  // messages of our own end in a plain newline
  ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void RawTerminal::restore() {
  if (g_is_saved == 0) return;
  g_is_saved = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &g_saved);
}

}  // namespace mote
