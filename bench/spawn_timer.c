// SPDX-License-Identifier: Apache-2.0
// spawn_timer: runs a program once and times it from outside. One thread; what it costs itself is
// not in the figures.
//
//   spawn_timer --first-byte PROGRAM ARGUMENT...
//     Stops the program at the first byte of its output, and ends it. Prints microseconds:
//     when the byte was readable | processor time of all threads until the stop, also of a process
//     that it has made
//   spawn_timer --whole PROGRAM ARGUMENT...
//     Lets the program run to its end. Prints microseconds, then how it ended:
//     when the last byte was readable | when the process was reaped | its processor time |
//     exit status, or 128 + signal
//
// How the program is started: spawned.h.
#include "spawned.h"

#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

enum { kOutputBuffer = 4096 };

// Waits for output; false at its end.
static bool read_output(double* at_us) {
  char buffer[kOutputBuffer];
  if (read(output, buffer, sizeof(buffer)) <= 0) return false;
  *at_us = now_us(CLOCK_MONOTONIC);
  return true;
}

static void time_first_byte(const char* name) {
  double first_us;
  if (!read_output(&first_us)) errx(1, "%s: no output", name);
  printf("%.1f %.1f\n", first_us - start_us, stop_and_end());
}

static void time_whole_run(const char* name) {
  double last_us = 0;
  while (read_output(&last_us)) continue;
  int status;
  struct rusage usage;
  if (wait4(child, &status, 0, &usage) != child) err(1, "wait4");
  const double end_us = now_us(CLOCK_MONOTONIC);
  if (last_us == 0) errx(1, "%s: no output", name);
  const double cpu_us = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
                        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  printf("%.1f %.1f %.1f %d\n", last_us - start_us, end_us - start_us, cpu_us - start_cpu_us,
         WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int main(int argc, char** argv) {
  const bool is_first = argc > 2 && strcmp(argv[1], "--first-byte") == 0;
  const bool is_whole = argc > 2 && strcmp(argv[1], "--whole") == 0;
  if (!is_first && !is_whole)
    errx(2, "usage: spawn_timer --first-byte|--whole PROGRAM ARGUMENT...");
  spawn(argv + 2);
  if (is_first) time_first_byte(argv[2]);
  if (is_whole) time_whole_run(argv[2]);
  return 0;
}
