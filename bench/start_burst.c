// SPDX-License-Identifier: Apache-2.0
// start_burst: starts a program many times at once and takes the time of each until its output
// begins.
//
//   start_burst COUNT PROGRAM ARGUMENT...
//
// Prints microseconds, one line for each process in no order: from the moment at which all were let
// go until its first byte was readable. The processes are there before, and wait right before exec.
// Their standard input is /dev/null; they run to their end. Exit status 1 when one of them says
// nothing.
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMost = 1000, kTimeoutSeconds = 60 };

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

// Makes a process that waits until nobody holds the other end of `gate`. Returns its output.
static int prepare(char** command, const int gate[2]) {
  int output[2];
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || pipe2(output, O_CLOEXEC) != 0) err(1, "pipe");
  const pid_t child = fork();
  if (child < 0) err(1, "fork");
  if (child == 0) {
    dup2(null, STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    close(gate[1]);
    char byte;
    if (read(gate[0], &byte, 1) != 0) _exit(126);
    execv(command[0], command);
    _exit(127);
  }
  close(null);
  close(output[1]);
  return output[0];
}

int main(int argc, char** argv) {
  const int count = argc > 2 ? atoi(argv[1]) : 0;
  if (count < 1 || count > kMost) errx(2, "usage: start_burst COUNT PROGRAM ARGUMENT...");
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) != 0) err(1, "pipe");
  static struct pollfd outputs[kMost];
  static double first_us[kMost];
  for (int i = 0; i < count; i++) {
    outputs[i] = (struct pollfd){.fd = prepare(argv + 2, gate), .events = POLLIN};
  }
  usleep(100000);  // all have come to wait
  alarm(kTimeoutSeconds);
  const double start_us = now_us();
  close(gate[1]);
  for (int open = count; open > 0;) {
    if (poll(outputs, (nfds_t)count, -1) < 0) err(1, "poll");
    const double at_us = now_us();
    for (int i = 0; i < count; i++) {
      char buffer[4096];
      if (outputs[i].fd < 0 || outputs[i].revents == 0) continue;
      if (read(outputs[i].fd, buffer, sizeof(buffer)) > 0) {
        if (first_us[i] == 0) first_us[i] = at_us - start_us;
        continue;
      }
      close(outputs[i].fd);
      outputs[i].fd = -1;
      open--;
    }
  }
  while (wait(NULL) > 0) continue;
  for (int i = 0; i < count; i++) {
    if (first_us[i] == 0) errx(1, "%s: no output", argv[2]);
    printf("%.1f\n", first_us[i]);
  }
  return 0;
}
