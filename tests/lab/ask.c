// SPDX-License-Identifier: Apache-2.0
// A client of the API for the outer Linux, which has no curl:
//   ask SOCKET METHOD PATH BODY [FILE...]
// Passes the files along, open for reading and writing. Prints status and body of the answer; exit
// code 0: it is done.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { kMostFiles = 8 };

static int fail(const char* what) {
  printf("ask: %s: %s\n", what, strerror(errno));
  return 2;
}

int main(int count, char** words) {
  if (count < 5 || count > 5 + kMostFiles) {
    printf("usage: ask SOCKET METHOD PATH BODY [FILE...]\n");
    return 2;
  }
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", words[1]);
  int api = socket(AF_UNIX, SOCK_STREAM, 0);
  if (api < 0 || connect(api, (struct sockaddr*)&address, sizeof address) != 0)
    return fail(words[1]);

  char text[4096];
  int size = snprintf(text, sizeof text,
                      "%s %s HTTP/1.1\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                      words[2], words[3], strlen(words[4]), words[4]);
  struct iovec part = {text, (size_t)size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(kMostFiles * sizeof(int))];
  } control = {0};
  int files = count - 5;
  if (files > 0) {
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE((size_t)files * sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN((size_t)files * sizeof(int));
  }
  for (int i = 0; i < files; ++i) {
    int file = open(words[5 + i], O_RDWR | O_CLOEXEC);
    if (file < 0) return fail(words[5 + i]);
    memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof file, &file, sizeof file);
  }
  if (sendmsg(api, &message, 0) != size) return fail("cannot ask");

  size_t length = 0;
  for (ssize_t got;
       length < sizeof text - 1 && (got = read(api, text + length, sizeof text - 1 - length)) > 0;)
    length += (size_t)got;
  text[length] = 0;
  int status = 0;
  if (sscanf(text, "HTTP/1.1 %d", &status) != 1) return fail("no answer");
  const char* body = strstr(text, "\r\n\r\n");
  printf("%d %s\n", status, body ? body + 4 : "");
  return status / 100 == 2 ? 0 : 1;
}
