// SPDX-License-Identifier: Apache-2.0
// Runs in the outer Linux: starts one program after another as a script says, plays its console,
// and reports on standard output. It judges nothing; ./run does that. One thread.
//
// The script's lines, one program each up to `go`:
//   case NAME              what the report calls it
//   timeout SECONDS        after that the program is killed
//   stdin pipe|pty|null    pty: the program's standard input and output are a terminal
//   arg TEXT               one argument; the first is the program's path
//   wait TEXT              step: the output holds TEXT behind what the step before waited for
//   send TEXT              step: write TEXT; \n is a line feed, \xHH a byte
//   signal NUMBER          step: send the signal
//   pause MILLISECONDS     step: do nothing for so long
//   go
//
// The report, per program:
//   begin NAME
//   data LENGTH            followed by LENGTH bytes and a line feed
//   end exit|signal|timeout NUMBER MICROSECONDS STEPS-DONE MICROSECONDS-OF-EACH-STEP...
// Times are counted from just before fork(). With -q the data comes in one piece after the end of
// the program.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { kMaxSteps = 16, kMaxArguments = 64, kMaxOutput = 4 << 20, kPollMilliseconds = 5 };

struct Step {
  char kind;  // 'w'ait, 's'end, 'k'ill, 'p'ause
  char text[512];
  size_t length;
  int number;
};

struct Case {
  char name[128];
  char stdin_kind[8];
  long timeout;
  char* arguments[kMaxArguments + 1];
  int argument_count;
  struct Step steps[kMaxSteps];
  int step_count;
};

struct Run {
  pid_t child;
  int input;   // -1: none
  int output;  // what the program writes
  int64_t start;
  int64_t step_start;
  int step;  // the next one
  int64_t step_times[kMaxSteps];
  size_t scanned;
  size_t size;
};

static char output[kMaxOutput];

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static size_t unescape(const char* from, char* to, size_t limit) {
  size_t length = 0;
  while (*from && length < limit) {
    if (from[0] == '\\' && from[1] == 'n') {
      to[length++] = '\n';
      from += 2;
    } else if (from[0] == '\\' && from[1] == 'x' && from[2] && from[3]) {
      char hex[3] = {from[2], from[3], 0};
      to[length++] = (char)strtol(hex, NULL, 16);
      from += 4;
    } else {
      to[length++] = *from++;
    }
  }
  return length;
}

static void report_data(const char* data, size_t length) {
  if (length == 0) return;
  printf("data %zu\n", length);
  fwrite(data, 1, length, stdout);
  putchar('\n');
  fflush(stdout);
}

static bool start_program(const struct Case* test, struct Run* run) {
  int in[2] = {-1, -1};
  int out[2] = {-1, -1};
  bool is_pty = strcmp(test->stdin_kind, "pty") == 0;
  bool is_pipe = strcmp(test->stdin_kind, "pipe") == 0;
  if (is_pty) {
    if (openpty(&out[0], &out[1], NULL, NULL, NULL) != 0) return false;
    in[0] = out[1];
    in[1] = out[0];
  } else {
    if (pipe(out) != 0 || (is_pipe && pipe(in) != 0)) return false;
    if (!is_pipe) in[0] = open("/dev/null", O_RDONLY);
  }
  run->start = run->step_start = now();
  run->child = fork();
  if (run->child == 0) {
    setsid();
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(out[1], 2);
    if (is_pty) ioctl(0, TIOCSCTTY, 0);  // a terminal's foreground process, as under a shell
    for (int fd = 3; fd < 32; ++fd) close(fd);
    signal(SIGPIPE, SIG_DFL);
    execv(test->arguments[0], test->arguments);
    dprintf(2, "drive: start %s: %s\n", test->arguments[0], strerror(errno));
    _exit(127);
  }
  close(out[1]);
  if (!is_pty) close(in[0]);
  run->output = out[0];
  run->input = in[1];
  fcntl(run->output, F_SETFL, O_NONBLOCK);
  return run->child > 0;
}

// Takes the steps that can be taken now.
static void take_steps(const struct Case* test, struct Run* run) {
  while (run->step < test->step_count) {
    const struct Step* step = &test->steps[run->step];
    if (step->kind == 'w') {
      char* found =
          memmem(output + run->scanned, run->size - run->scanned, step->text, step->length);
      if (!found) return;
      run->scanned = (size_t)(found - output) + step->length;
    } else if (step->kind == 's') {
      if (run->input >= 0 && write(run->input, step->text, step->length) < 0) {
        fprintf(stderr, "drive: %s: send: %s\n", test->name, strerror(errno));
      }
    } else if (step->kind == 'k') {
      kill(run->child, step->number);
    } else if (now() - run->step_start < (int64_t)step->number * 1000) {
      return;
    }
    run->step_start = now();
    run->step_times[run->step++] = run->step_start - run->start;
  }
}

// Reads what there is; false once the program has closed its output.
static bool take_output(struct Run* run, bool quiet) {
  for (;;) {
    char buffer[4096];
    ssize_t got = read(run->output, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    size_t room = kMaxOutput - run->size;
    size_t kept = (size_t)got < room ? (size_t)got : room;
    memcpy(output + run->size, buffer, kept);
    run->size += kept;
    if (!quiet) report_data(buffer, kept);
  }
}

static void run_case(const struct Case* test, bool quiet) {
  struct Run run = {.child = -1, .input = -1, .output = -1};
  printf("begin %s\n", test->name);
  fflush(stdout);
  if (!start_program(test, &run)) {
    printf("end signal 0 0 0\n");
    return;
  }
  int status = 0;
  bool timed_out = false;
  bool open = true;
  for (;;) {
    struct pollfd waited = {.fd = open ? run.output : -1, .events = POLLIN};
    poll(&waited, 1, kPollMilliseconds);
    if (open) open = take_output(&run, quiet);
    take_steps(test, &run);
    if (waitpid(run.child, &status, WNOHANG) == run.child) break;
    if (now() - run.start > (int64_t)test->timeout * 1000000) {
      timed_out = true;
      kill(-run.child, SIGKILL);
      waitpid(run.child, &status, 0);
      break;
    }
  }
  int64_t end = now() - run.start;
  if (open) take_output(&run, quiet);
  take_steps(test, &run);
  if (quiet) report_data(output, run.size);
  if (run.input >= 0 && run.input != run.output) close(run.input);
  close(run.output);
  printf("end %s %d %lld %d",
         timed_out           ? "timeout"
         : WIFEXITED(status) ? "exit"
                             : "signal",
         timed_out           ? 0
         : WIFEXITED(status) ? WEXITSTATUS(status)
                             : WTERMSIG(status),
         (long long)end, run.step);
  for (int i = 0; i < run.step; ++i) printf(" %lld", (long long)run.step_times[i]);
  putchar('\n');
  fflush(stdout);
}

static void add_step(struct Case* test, char kind, const char* text) {
  if (test->step_count == kMaxSteps) return;
  struct Step* step = &test->steps[test->step_count++];
  step->kind = kind;
  step->length = unescape(text, step->text, sizeof step->text);
  step->number = atoi(text);
}

static void reset(struct Case* test) {
  for (int i = 0; i < test->argument_count; ++i) free(test->arguments[i]);
  memset(test, 0, sizeof *test);
  test->timeout = 60;
}

int main(int argc, char** argv) {
  bool quiet = argc == 3 && strcmp(argv[1], "-q") == 0;
  FILE* script = argc >= 2 ? fopen(argv[argc - 1], "re") : NULL;
  if (!script) {
    fprintf(stderr, "usage: drive [-q] SCRIPT\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  struct termios raw;
  if (tcgetattr(1, &raw) == 0) {
    cfmakeraw(&raw);
    tcsetattr(1, TCSANOW, &raw);
  }

  static struct Case test;
  reset(&test);
  static char line[4096];
  while (fgets(line, sizeof line, script)) {
    line[strcspn(line, "\n")] = 0;
    char* space = strchr(line, ' ');
    char* value = space ? space + 1 : line + strlen(line);
    if (space) *space = 0;
    if (strcmp(line, "case") == 0) {
      snprintf(test.name, sizeof test.name, "%s", value);
    } else if (strcmp(line, "timeout") == 0) {
      test.timeout = atol(value);
    } else if (strcmp(line, "stdin") == 0) {
      snprintf(test.stdin_kind, sizeof test.stdin_kind, "%s", value);
    } else if (strcmp(line, "arg") == 0 && test.argument_count < kMaxArguments) {
      test.arguments[test.argument_count++] = strdup(value);
    } else if (strcmp(line, "wait") == 0) {
      add_step(&test, 'w', value);
    } else if (strcmp(line, "send") == 0) {
      add_step(&test, 's', value);
    } else if (strcmp(line, "signal") == 0) {
      add_step(&test, 'k', value);
    } else if (strcmp(line, "pause") == 0) {
      add_step(&test, 'p', value);
    } else if (strcmp(line, "go") == 0) {
      run_case(&test, quiet);
      reset(&test);
    } else {
      fprintf(stderr, "drive: %s: not a directive\n", line);
      return 2;
    }
  }
  fclose(script);
  return 0;
}
