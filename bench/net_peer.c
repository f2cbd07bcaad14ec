// SPDX-License-Identifier: Apache-2.0
// net_peer: the other end of a tap under measurement: sends frames to it, or sends back what comes
// out of it. It takes part at the level of the interface (AF_PACKET), past the host's own stack.
//
//   net_peer send INTERFACE MAC SIZE RATE     RATE frames per second to MAC; 0: as fast as it goes
//   net_peer echo INTERFACE MAC               each frame that comes, back to its sender
//
// Frames have SIZE bytes with their Ethernet header, Ethertype 88B5h and a running number, as the
// guest net_bench expects them. The sender keeps to a schedule in batches of 32; when it was kept
// from it for more than 256 frames' time it gives those up instead of making a burst of them.
// Both say "ready", count between SIGUSR1 and SIGUSR2, run until SIGTERM and then print
//   result offered N 1/s      frames that were given to the interface, per second, and those among
//   result refused N 1/s      them that it refused because its queue was full
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  kBatch = 32,
  kMostBehind = 256,
  kSmallestFrame = 60,
  kLargestFrame = 1514,
  kRoom = 65536 + 64,
};

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct {
  uint64_t offered;
  uint64_t refused;
} count;

// What was counted up to a signal. Handlers run on the one thread there is, between its steps.
struct moment {
  uint64_t at_ns;
  uint64_t offered;
  uint64_t refused;
};
static struct moment counted_from, counted_to;
static volatile sig_atomic_t is_ended;

static struct moment moment_now(void) {
  return (struct moment){now_ns(), count.offered, count.refused};
}

static void on_signal(int number) {
  if (number == SIGUSR1) counted_from = moment_now();
  if (number == SIGUSR2) counted_to = moment_now();
  if (number == SIGTERM) is_ended = 1;
}

static void sleep_until(uint64_t at_ns) {
  const struct timespec at = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

// `protocol` 0: a socket that receives nothing.
static int open_socket(const char* interface, uint16_t protocol) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) err(1, "packet socket");
  const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                      .sll_protocol = htons(protocol),
                                      .sll_ifindex = (int)if_nametoindex(interface)};
  if (address.sll_ifindex == 0) err(1, "interface %s", interface);
  const int yes = 1;
  // Straight to the interface: no queueing discipline, and no copy of our own frames back to us.
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) != 0 ||
      setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) != 0)
    err(1, "options of the packet socket");
  if (bind(fd, (const struct sockaddr*)&address, sizeof address) != 0) err(1, "%s", interface);
  return fd;
}

static void make_frame(uint8_t* frame, const uint8_t mac[6], unsigned size) {
  const struct ether_header ethernet = {.ether_shost = {2, 0, 0, 0, 0, 0xFE},
                                        .ether_type = htons(0x88B5)};
  for (unsigned i = 0; i < size; i++) frame[i] = (uint8_t)i;
  memcpy(frame, &ethernet, sizeof ethernet);
  memcpy(frame, mac, ETH_ALEN);
}

static uint8_t frames[kBatch][kLargestFrame];
static struct iovec pieces[kBatch];
static struct mmsghdr messages[kBatch];

static void number_frames(void) {
  static uint64_t next;
  for (unsigned i = 0; i < kBatch; i++) {
    memcpy(frames[i] + sizeof(struct ether_header), &next, sizeof next);
    next++;
  }
}

// Gives a batch to the interface.
static void send_batch(int fd) {
  number_frames();
  for (unsigned done = 0; done < kBatch;) {
    const int sent = sendmmsg(fd, messages + done, kBatch - done, 0);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != ENOBUFS) err(1, "send");
    // A call that fails at once found no room for its first frame.
    const unsigned count_of_call = sent < 0 ? 1 : (unsigned)sent;
    if (sent < 0) count.refused++;
    count.offered += count_of_call;
    done += count_of_call;
  }
}

static void run_sender(int fd, const uint8_t mac[6], unsigned size, unsigned rate) {
  for (unsigned i = 0; i < kBatch; i++) {
    make_frame(frames[i], mac, size);
    pieces[i] = (struct iovec){frames[i], size};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
  }
  uint64_t begin_ns = now_ns();
  uint64_t scheduled = 0;  // frames since begin_ns
  while (!is_ended) {
    if (rate == 0) {
      send_batch(fd);
      continue;
    }
    const uint64_t due = (uint64_t)((unsigned __int128)(now_ns() - begin_ns) * rate / 1000000000u);
    if (due > scheduled + kMostBehind) {
      begin_ns += (due - scheduled) * 1000000000u / rate;
      continue;
    }
    if (due < scheduled + kBatch) {
      sleep_until(begin_ns + (scheduled + kBatch) * 1000000000u / rate);
      continue;
    }
    send_batch(fd);
    scheduled += kBatch;
  }
}

static void run_echo(int fd, const uint8_t mac[6]) {
  static uint8_t frame[kRoom];
  while (!is_ended) {
    const ssize_t size = recv(fd, frame, sizeof frame, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) err(1, "receive");
    if (size < ETH_HLEN) continue;
    memcpy(frame, frame + ETH_ALEN, ETH_ALEN);
    memcpy(frame + ETH_ALEN, mac, ETH_ALEN);
    count.offered++;
    if (send(fd, frame, (size_t)size, 0) >= 0) continue;
    if (errno != ENOBUFS && errno != EINTR) err(1, "send");
    count.refused++;
  }
}

// A sender that sleeps most of the time and is late sends less than it is asked to: where allowed,
// it goes before all others.
static void keep_time(void) {
  const struct sched_param first = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};
  (void)sched_setscheduler(0, SCHED_FIFO, &first);
  prctl(PR_SET_TIMERSLACK, 1UL);
}

static unsigned number(const char* text, unsigned min, unsigned max, const char* name) {
  char* end;
  const unsigned long value = strtoul(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < min || value > max)
    errx(2, "%s: %u to %u: %s", name, min, max, text);
  return (unsigned)value;
}

int main(int argc, char** argv) {
  const bool sends = argc == 6 && strcmp(argv[1], "send") == 0;
  if (!sends && (argc != 4 || strcmp(argv[1], "echo") != 0))
    errx(2, "usage: net_peer send INTERFACE MAC SIZE RATE, or net_peer echo INTERFACE MAC");
  uint8_t mac[6];
  if (sscanf(argv[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
             &mac[5]) != 6)
    errx(2, "%s: no MAC address", argv[3]);
  const struct sigaction action = {.sa_handler = on_signal};  // interrupts what waits
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGUSR2, &action, NULL);
  sigaction(SIGTERM, &action, NULL);

  const int fd = open_socket(argv[2], sends ? 0 : ETH_P_ALL);
  counted_from = moment_now();
  puts("ready");
  fflush(stdout);
  if (sends) {
    const unsigned size = number(argv[4], kSmallestFrame, kLargestFrame, "SIZE");
    const unsigned rate = number(argv[5], 0, 100000000, "RATE");
    if (rate != 0) keep_time();
    run_sender(fd, mac, size, rate);
  } else {
    run_echo(fd, mac);
  }
  if (counted_to.at_ns == 0) counted_to = moment_now();
  const double took_s = (double)(counted_to.at_ns - counted_from.at_ns) / 1e9;
  printf("result offered %.0f 1/s\n", (double)(counted_to.offered - counted_from.offered) / took_s);
  printf("result refused %.0f 1/s\n", (double)(counted_to.refused - counted_from.refused) / took_s);
  return 0;
}
