// SPDX-License-Identifier: Apache-2.0
// Many short TCP connections, each with a question and an answer that is checked.
//
//   connections serve PORT COUNT           answers on COUNT ports from PORT on, for ever
//   connections ask ADDRESS PORT COUNT N   makes N connections in turn to each of the COUNT ports,
//                                          some at once, and prints "N connections"
// Several ports, because a pair of addresses and a port is good for 64,000 connections a minute.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kServersPerPort = 2, kAskers = 4, kWords = 64, kTimeoutSeconds = 30 };

struct Text {
  uint32_t words[kWords];
};

static int complain(const char* what, unsigned number) {
  fprintf(stderr, "connections: %s %u: %s\n", what, number, strerror(errno));
  return 1;
}

static uint32_t mixed(uint32_t value) {
  value = (value ^ value >> 16) * 0x7feb352du;
  value = (value ^ value >> 15) * 0x846ca68bu;
  return value ^ value >> 16;
}

// Each question is another; the answer is the question in reverse, every bit turned over.
static struct Text question_of(uint32_t connection) {
  struct Text text;
  for (uint32_t i = 0; i < kWords; ++i) text.words[i] = mixed(connection * kWords + i);
  return text;
}

static struct Text answer_to(const struct Text* question) {
  struct Text text;
  for (int i = 0; i < kWords; ++i) text.words[i] = ~question->words[kWords - 1 - i];
  return text;
}

// All of the text, or -1; what comes too early to an end counts as a reset.
static int receive_text(int socket, struct Text* text) {
  ssize_t got = recv(socket, text, sizeof *text, MSG_WAITALL);
  if (got == (ssize_t)sizeof *text) return 0;
  if (got >= 0) errno = ECONNRESET;
  return -1;
}

static int send_text(int socket, const struct Text* text) {
  return send(socket, text, sizeof *text, MSG_NOSIGNAL) == (ssize_t)sizeof *text ? 0 : -1;
}

static struct sockaddr_in place(uint32_t address, unsigned port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = address};
}

static int listen_at(unsigned port) {
  int on = 1;
  struct sockaddr_in here = place(htonl(INADDR_ANY), port);
  int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0 || setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(socket_fd, (struct sockaddr*)&here, sizeof here) != 0 || listen(socket_fd, 128) != 0) {
    return -1;
  }
  return socket_fd;
}

static void answer_all(int listener) {
  for (;;) {
    struct Text question;
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) continue;
    if (receive_text(connection, &question) == 0) {
      struct Text answer = answer_to(&question);
      send_text(connection, &answer);
    }
    close(connection);
  }
}

static int serve(unsigned port, unsigned ports) {
  for (unsigned i = 0; i < ports; ++i) {
    int listener = listen_at(port + i);
    if (listener < 0) return complain("listen at port", port + i);
    for (int server = 0; server < kServersPerPort; ++server) {
      if (fork() == 0) answer_all(listener);
    }
    close(listener);
  }
  printf("serving\n");
  return 0;
}

static int ask_once(uint32_t address, unsigned port, uint32_t number) {
  struct timeval patience = {.tv_sec = kTimeoutSeconds};
  struct sockaddr_in there = place(address, port);
  int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) return complain("socket of connection", number);
  setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  struct Text question = question_of(number);
  struct Text expected = answer_to(&question);
  struct Text answer;
  if (connect(socket_fd, (struct sockaddr*)&there, sizeof there) != 0) {
    return complain("connect, connection", number);
  }
  if (send_text(socket_fd, &question) != 0) return complain("send, connection", number);
  if (receive_text(socket_fd, &answer) != 0) return complain("receive, connection", number);
  if (memcmp(&answer, &expected, sizeof answer) != 0) {
    fprintf(stderr, "connections: connection %u: a wrong answer\n", number);
    return 1;
  }
  close(socket_fd);
  return 0;
}

static int ask(uint32_t address, unsigned port, unsigned ports, uint32_t count) {
  for (unsigned asker = 0; asker < kAskers; ++asker) {
    if (fork() != 0) continue;
    for (uint32_t number = asker; number < count; number += kAskers) {
      if (ask_once(address, port + number / kAskers % ports, number) != 0) exit(1);
    }
    exit(0);
  }
  int failed = 0;
  int status;
  while (wait(&status) > 0) failed += status != 0;
  if (failed) return 1;
  printf("%u connections\n", count);
  return 0;
}

int main(int argc, char** argv) {
  struct in_addr address;
  if (argc == 4 && strcmp(argv[1], "serve") == 0) {
    return serve((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
  }
  if (argc == 6 && strcmp(argv[1], "ask") == 0 && inet_aton(argv[2], &address)) {
    return ask(address.s_addr, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]),
               (uint32_t)atol(argv[5]));
  }
  fprintf(stderr, "usage: connections serve PORT COUNT | ask ADDRESS PORT COUNT N\n");
  return 2;
}
