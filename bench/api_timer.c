// SPDX-License-Identifier: Apache-2.0
// api_timer: a client of the API that times it. Prints microseconds. What it costs itself is in the
// figures only where it has to be: a system call to send and one to wait.
//
//   api_timer --first-answer SOCKET PROGRAM ARGUMENT...
//     Runs a program that makes SOCKET (in a folder that is there, without it), asks GET / as soon
//     as it listens, and ends it. Prints: when the answer was there, from exec on | processor time
//     of all threads until then, also of a process that it has made
//   api_timer --start KERNEL PAUSE_MS SOCKET PROGRAM ARGUMENT...
//     Configures KERNEL as soon as the program listens, waits, asks for InstanceStart, and ends it
//     at the first byte of its output. Prints, from the request on: when the byte was readable |
//     when the answer was
//   api_timer --round-trips COUNT SOCKET
//     Asks a program that runs for GET / so often, on one connection, a millisecond apart. Prints
//     how long each took.
//
// How the program is started: spawned.h.
#include "spawned.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { kMessage = 4096, kGapUs = 1000 };

static int make_socket(void) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) err(1, "socket");
  return fd;
}

static struct sockaddr_un address_of(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof(address.sun_path)) errx(2, "%s: too long", path);
  strcpy(address.sun_path, path);
  return address;
}

// What tells when something appears in the folder of `path`.
static int watch_folder(const char* path) {
  char folder[PATH_MAX];
  snprintf(folder, sizeof(folder), "%s", path);
  char* const slash = strrchr(folder, '/');
  if (slash == NULL) errx(2, "%s: not a path from the root", path);
  slash[1] = '\0';
  const int fd = inotify_init1(IN_CLOEXEC);
  if (fd < 0 || inotify_add_watch(fd, folder, IN_CREATE) < 0) err(1, "inotify: %s", folder);
  return fd;
}

// Sleeps until the socket is there. It listens a moment later.
static int connect_soon(const char* path, int watch) {
  char event[kMessage];
  if (read(watch, event, sizeof(event)) <= 0) err(1, "inotify");
  const struct sockaddr_un address = address_of(path);
  const int fd = make_socket();
  while (connect(fd, (const struct sockaddr*)&address, sizeof(address)) != 0) {
    if (errno != ECONNREFUSED) err(1, "connect: %s", path);
    usleep(1);
  }
  return fd;
}

static void send_text(int fd, const char* text) {
  const size_t size = strlen(text);
  if (send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size) err(1, "send");
}

static void expect(int fd, const char* status) {
  char answer[kMessage];
  const ssize_t size = recv(fd, answer, sizeof(answer) - 1, 0);
  if (size <= 0) errx(1, "no answer");
  answer[size] = '\0';
  if (strncmp(answer + strlen("HTTP/1.1 "), status, strlen(status)) != 0) errx(1, "%s", answer);
}

static const char kGet[] = "GET / HTTP/1.1\r\n\r\n";

static void put(int fd, const char* path, const char* body) {
  char request[kMessage];
  snprintf(request, sizeof(request), "PUT %s HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s", path,
           strlen(body), body);
  send_text(fd, request);
}

static void time_first_answer(const char* path, char** command) {
  const int watch = watch_folder(path);
  spawn(command);
  const int fd = connect_soon(path, watch);
  send_text(fd, kGet);
  expect(fd, "200");
  const double at_us = now_us(CLOCK_MONOTONIC);
  printf("%.1f %.1f\n", at_us - start_us, stop_and_end());
}

static void time_start(const char* kernel, int pause_ms, const char* path, char** command) {
  const int watch = watch_folder(path);
  spawn(command);
  const int fd = connect_soon(path, watch);
  char body[kMessage / 2];
  snprintf(body, sizeof(body), "{\"kernel_image_path\":\"%s\",\"boot_args\":\"\"}", kernel);
  put(fd, "/boot-source", body);
  expect(fd, "204");
  usleep((useconds_t)pause_ms * 1000);
  const double begin_us = now_us(CLOCK_MONOTONIC);
  put(fd, "/actions", "{\"action_type\":\"InstanceStart\"}");
  double byte_us = 0;
  double answer_us = 0;
  struct pollfd wishes[] = {{.fd = output, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
  while (byte_us == 0 || answer_us == 0) {
    if (poll(wishes, 2, -1) < 0) err(1, "poll");
    const double at_us = now_us(CLOCK_MONOTONIC);
    if (wishes[0].revents != 0) {
      byte_us = at_us;
      wishes[0].fd = -1;
    }
    if (wishes[1].revents != 0) {
      expect(fd, "204");
      answer_us = at_us;
      wishes[1].fd = -1;
    }
  }
  (void)stop_and_end();
  printf("%.1f %.1f\n", byte_us - begin_us, answer_us - begin_us);
}

static void time_round_trips(int count, const char* path) {
  const struct sockaddr_un address = address_of(path);
  const int fd = make_socket();
  if (connect(fd, (const struct sockaddr*)&address, sizeof(address)) != 0) err(1, "%s", path);
  be_real_time(kOwnPriority);
  for (int i = 0; i < count; ++i) {
    usleep(kGapUs);
    const double begin_us = now_us(CLOCK_MONOTONIC);
    send_text(fd, kGet);
    expect(fd, "200");
    printf("%.1f\n", now_us(CLOCK_MONOTONIC) - begin_us);
  }
}

static bool is_mode(int argc, char** argv, const char* name, int least) {
  return argc >= least && strcmp(argv[1], name) == 0;
}

int main(int argc, char** argv) {
  if (is_mode(argc, argv, "--first-answer", 4)) {
    time_first_answer(argv[2], argv + 3);
  } else if (is_mode(argc, argv, "--start", 6)) {
    time_start(argv[2], atoi(argv[3]), argv[4], argv + 5);
  } else if (is_mode(argc, argv, "--round-trips", 4)) {
    time_round_trips(atoi(argv[2]), argv[3]);
  } else {
    errx(2,
         "usage: api_timer --first-answer SOCKET PROGRAM... | --start KERNEL PAUSE_MS SOCKET "
         "PROGRAM... | --round-trips COUNT SOCKET");
  }
  return 0;
}
