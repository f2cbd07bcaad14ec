// SPDX-License-Identifier: Apache-2.0
// A program that is run once and looked at from outside, for the helpers that do so. Time starts
// right before exec. The program's standard input is /dev/null, its standard output a pipe, its
// standard error this one's. Where allowed, the program runs at real-time priority, so that other
// work on the machine does not count. With SPAWN_USER in the environment it runs as that user and
// group.
#pragma once

#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  kTimeoutSeconds = 20,
  kProgramPriority = 1,
  kOwnPriority = 2,
  kStopUs = 1000,  // in which all threads of a process that was sent SIGSTOP have stopped
};

static double now_us(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0) err(1, "clock_gettime");
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void be_real_time(int priority) {
  const struct sched_param parameters = {.sched_priority = priority};
  (void)sched_setscheduler(0, SCHED_FIFO, &parameters);  // without the right to it: as before
}

// Not by the library's functions: they would change this process too, from the child of vfork.
static void become(long user) {
  if (user < 0) return;
  if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setresgid, user, user, user) != 0 ||
      syscall(SYS_setresuid, user, user, user) != 0)
    _exit(126);
}

static pid_t child;
static int output;

static void on_timeout(int signal) {
  (void)signal;
  kill(child, SIGKILL);
}

// Written by the child of vfork, which shares this memory, as its last act before exec.
static volatile double start_us, start_cpu_us;

static void spawn(char** command) {
  int ends[2];
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const char* user = getenv("SPAWN_USER");
  const long id = user != NULL ? atol(user) : -1;
  if (null < 0 || pipe2(ends, O_CLOEXEC) != 0) err(1, "pipe");
  be_real_time(kOwnPriority);
  child = vfork();
  if (child == 0) {
    dup2(null, STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    be_real_time(kProgramPriority);
    become(id);
    start_cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID);
    start_us = now_us(CLOCK_MONOTONIC);
    execv(command[0], command);
    _exit(127);
  }
  if (child < 0) err(1, "vfork");
  close(ends[1]);
  output = ends[0];
  signal(SIGALRM, on_timeout);
  alarm(kTimeoutSeconds);
}

// The process that the program has made; 0 when there is none.
static pid_t child_of_program(void) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/task/%d/children", child, child);
  FILE* children = fopen(path, "re");
  if (children == NULL) return 0;
  pid_t made = 0;
  if (fscanf(children, "%d", &made) != 1) made = 0;
  fclose(children);
  return made;
}

static double processor_us(pid_t process) {
  clockid_t clock;
  return clock_getcpuclockid(process, &clock) == 0 ? now_us(clock) : 0;
}

// Stops the program, says how much processor time it had since exec with all its threads and with
// the process that it has made, and ends both.
static double stop_and_end(void) {
  // The clock of a process is exact only while none of its threads is on a processor.
  const pid_t made = child_of_program();
  if (made != 0) kill(made, SIGSTOP);
  kill(child, SIGSTOP);
  siginfo_t info;
  if (waitid(P_PID, (id_t)child, &info, WSTOPPED | WEXITED | WNOWAIT) != 0) err(1, "waitid");
  if (made != 0) usleep(kStopUs);
  const double cpu_us = processor_us(child) + (made != 0 ? processor_us(made) : 0);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  if (made != 0) kill(made, SIGKILL);
  return cpu_us - start_cpu_us;
}
