// SPDX-License-Identifier: Apache-2.0
// net_floor: the most that a process can have of a tap, for network devices to be measured against.
// One thread, no guest; the tap is one that nobody else has open.
//
//   net_floor call|spin|uring TAP transmit|receive|round-trip SIZE SECONDS
//
// call makes one write() or read() after the other, and waits in read(); spin calls read() again
// and again instead of waiting. uring transmits in batches
// of 32 writes and receives by one multishot read from a ring of provided buffers (fixed file,
// single issuer, deferred task work, registered ring). SIZE is that of a frame with its Ethernet
// header; from 1515 on a frame is one TCP segment for the receiver to cut (GSO). Frames, their
// number and their buffers are those of the guest net_bench, with a virtio-net header of 12 bytes
// before each, as a monitor has it.
//
// Says "ready" when the tap is open, "measuring" after a warm-up of 0.2 seconds, and "measured"
// after SECONDS more; then:
//   result frame_rate N 1/s   frames per second; of round trips, those that came back
//   result cpu_us X us        processor time per frame
// A frame that comes is counted and looked at no further: nothing else may send to the tap.
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
  kHeader = 12,
  kEthernet = 14,
  kSmallestFrame = 60,
  kLargestFrame = kEthernet + 65535,
  kLargestWhole = kEthernet + 1500,  // larger ones are to be cut
  kSegment = 1448,
  kFrames = 256,  // that are sent in turn
  kBatch = 32,
  kBuffers = 512,  // provided for reads; a power of two
  kBufferGroup = 0,
  kFramesPerLook = 64,  // at the clock
  kWarmUpMs = 200,
  kPatienceSeconds = 10,
  kReadMultishot = 49,  // IORING_OP_READ_MULTISHOT, which older headers lack
};

static struct {
  int fd;
  bool is_uring;
  bool spins;
  unsigned size;  // with the virtio-net header
  uint8_t* frames;
  uint8_t* room;  // for frames that come
} work;

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void open_tap(const char* name, bool waits) {
  work.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | (waits ? 0 : O_NONBLOCK));
  if (work.fd < 0) err(1, "/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  if (strlen(name) >= IFNAMSIZ) errx(2, "%s: too long for the name of an interface", name);
  memcpy(request.ifr_name, name, strlen(name));
  if (ioctl(work.fd, TUNSETIFF, &request) != 0) err(1, "attach to tap %s", name);
  const int header = kHeader;
  if (ioctl(work.fd, TUNSETVNETHDRSZ, &header) != 0)
    err(1, "set the header's size of tap %s", name);
}

static uint16_t checksum(const void* bytes, size_t size) {
  const uint8_t* byte = bytes;
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < size; i += 2) sum += (uint32_t)(byte[i] << 8 | byte[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return htons((uint16_t)~sum);
}

// A frame of no known protocol, or a TCP segment for the receiver to cut, to a station that is not
// there: the host's stack throws either away as soon as it looks at it.
static void make_frame(uint8_t* header, unsigned size) {
  uint8_t* ethernet = header + kHeader;
  const bool is_cut = size > kLargestWhole;
  const uint16_t type = is_cut ? 0x0800 : 0x88B5;
  const uint8_t first[kEthernet] = {
      2, 0, 0, 0, 0, 0xFE, 2, 0, 0, 0, 0, 1, (uint8_t)(type >> 8), (uint8_t)type};
  for (unsigned i = 0; i < size; i++) ethernet[i] = (uint8_t)i;
  memcpy(ethernet, first, kEthernet);
  if (!is_cut) return;
  struct iphdr ip = {.version = 4,
                     .ihl = 5,
                     .ttl = 64,
                     .tot_len = htons((uint16_t)(size - kEthernet)),
                     .protocol = IPPROTO_TCP,
                     .saddr = htonl(0xC6120002),
                     .daddr = htonl(0xC6120001)};
  ip.check = checksum(&ip, sizeof ip);
  memcpy(ethernet + kEthernet, &ip, sizeof ip);
  const struct tcphdr tcp = {
      .source = htons(5001), .dest = htons(5002), .doff = 5, .ack = 1, .window = htons(0xFFFF)};
  memcpy(ethernet + kEthernet + sizeof ip, &tcp, sizeof tcp);
  const struct virtio_net_hdr to_cut = {
      .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
      .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
      .hdr_len = kEthernet + sizeof ip + sizeof tcp,
      .gso_size = kSegment,
      .csum_start = kEthernet + sizeof ip,
      .csum_offset = offsetof(struct tcphdr, check),
  };
  memcpy(header, &to_cut, sizeof to_cut);
}

static const uint8_t* next_frame(void) {
  static unsigned next;
  return work.frames + (size_t)(next++ % kFrames) * work.size;
}

static struct io_uring ring;
static struct io_uring_buf_ring* buffers;

static void make_ring(void) {
  int result =
      io_uring_queue_init(kBuffers, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  if (result < 0) errx(1, "make the ring: %s", strerror(-result));
  result = io_uring_register_files(&ring, &work.fd, 1);
  if (result < 0) errx(1, "register the tap: %s", strerror(-result));
  result = io_uring_register_ring_fd(&ring);
  if (result < 0) errx(1, "register the ring: %s", strerror(-result));
}

static uint8_t* buffer_of(unsigned id) {
  return work.room + (size_t)id * (kHeader + kLargestFrame);
}

static void provide_buffers(void) {
  const size_t size = kBuffers * sizeof(struct io_uring_buf);
  if (posix_memalign((void**)&buffers, 4096, size) != 0) errx(1, "no memory");
  struct io_uring_buf_reg group = {
      .ring_addr = (uintptr_t)buffers, .ring_entries = kBuffers, .bgid = kBufferGroup};
  const int result = io_uring_register_buf_ring(&ring, &group, 0);
  if (result < 0) errx(1, "register the ring of buffers: %s", strerror(-result));
  io_uring_buf_ring_init(buffers);
  for (unsigned i = 0; i < kBuffers; i++) {
    io_uring_buf_ring_add(buffers, buffer_of(i), kHeader + kLargestFrame, (unsigned short)i,
                          io_uring_buf_ring_mask(kBuffers), (int)i);
  }
  io_uring_buf_ring_advance(buffers, kBuffers);
}

static void arm_reads(void) {
  struct io_uring_sqe* entry = io_uring_get_sqe(&ring);
  io_uring_prep_rw(kReadMultishot, entry, 0, NULL, 0, 0);
  entry->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  entry->buf_group = kBufferGroup;
}

static void submit_and_wait(unsigned count) {
  const int result = io_uring_submit_and_wait(&ring, count);
  if (result < 0 && result != -EINTR) errx(1, "io_uring_enter: %s", strerror(-result));
}

// Takes the frames at hand and gives their buffers back. Returns how many there were.
static unsigned reap_reads(void) {
  struct io_uring_cqe* done;
  unsigned head;
  unsigned entries = 0;
  unsigned frames = 0;
  bool is_armed = true;
  io_uring_for_each_cqe(&ring, head, done) {
    entries++;
    if ((done->flags & IORING_CQE_F_MORE) == 0) is_armed = false;
    if ((done->flags & IORING_CQE_F_BUFFER) != 0) {
      const unsigned id = done->flags >> IORING_CQE_BUFFER_SHIFT;
      io_uring_buf_ring_add(buffers, buffer_of(id), kHeader + kLargestFrame, (unsigned short)id,
                            io_uring_buf_ring_mask(kBuffers), (int)frames++);
    } else if (done->res != -ENOBUFS) {
      errx(1, "multishot read: %s", strerror(-done->res));
    }
  }
  io_uring_buf_ring_advance(buffers, (int)frames);
  io_uring_cq_advance(&ring, entries);
  if (!is_armed) arm_reads();
  return frames;
}

static void check_written(int64_t result) {
  if (result == (int64_t)work.size) return;
  errno = result < 0 ? (int)-result : EIO;
  err(1, "write a frame");
}

static void write_one(void) {
  const ssize_t result = write(work.fd, next_frame(), work.size);
  check_written(result < 0 ? -errno : result);
}

static void read_one(void) {
  ssize_t result;
  do result = read(work.fd, work.room, kHeader + kLargestFrame);
  while (result < 0 && errno == EAGAIN && work.spins);
  if (result <= 0) err(1, "read a frame");
}

// Moves frames until `end_ns`; returns how many.
typedef uint64_t Loop(uint64_t end_ns);

static uint64_t transmit_call(uint64_t end_ns) {
  uint64_t done = 0;
  do {
    for (unsigned i = 0; i < kFramesPerLook; i++) write_one();
    done += kFramesPerLook;
  } while (now_ns() < end_ns);
  return done;
}

static void queue_write(void) {
  struct io_uring_sqe* entry = io_uring_get_sqe(&ring);
  io_uring_prep_write(entry, 0, next_frame(), work.size, 0);
  entry->flags = IOSQE_FIXED_FILE;
}

static uint64_t transmit_uring(uint64_t end_ns) {
  uint64_t done = 0;
  do {
    for (unsigned i = 0; i < kBatch; i++) queue_write();
    submit_and_wait(kBatch);
    struct io_uring_cqe* entry;
    unsigned head;
    io_uring_for_each_cqe(&ring, head, entry) check_written(entry->res);
    io_uring_cq_advance(&ring, kBatch);
    done += kBatch;
  } while (now_ns() < end_ns);
  return done;
}

static uint64_t receive_call(uint64_t end_ns) {
  uint64_t done = 0;
  do {
    for (unsigned i = 0; i < kFramesPerLook; i++) read_one();
    done += kFramesPerLook;
  } while (now_ns() < end_ns);
  return done;
}

static uint64_t receive_uring(uint64_t end_ns) {
  uint64_t done = 0;
  do {
    submit_and_wait(1);
    done += reap_reads();
  } while (now_ns() < end_ns);
  return done;
}

static uint64_t round_trip_call(uint64_t end_ns) {
  uint64_t done = 0;
  do {
    write_one();
    read_one();
    done++;
  } while (now_ns() < end_ns);
  return done;
}

static uint64_t round_trip_uring(uint64_t end_ns) {
  uint64_t done = 0;
  do {
    write_one();  // the ring would post a second completion for nothing
    unsigned came;
    do {
      submit_and_wait(1);
      came = reap_reads();
    } while (came == 0);
    done += came;
  } while (now_ns() < end_ns);
  return done;
}

static Loop* const kLoops[3][2] = {{transmit_call, transmit_uring},
                                   {receive_call, receive_uring},
                                   {round_trip_call, round_trip_uring}};
static const char* const kWorks[3] = {"transmit", "receive", "round-trip"};

static unsigned number(const char* text, unsigned min, unsigned max, const char* name) {
  char* end;
  const unsigned long value = strtoul(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < min || value > max)
    errx(2, "%s: %u to %u: %s", name, min, max, text);
  return (unsigned)value;
}

static void say(const char* word) {
  puts(word);
  fflush(stdout);
}

int main(int argc, char** argv) {
  if (argc != 6) errx(2, "usage: net_floor call|spin|uring TAP WORK SIZE SECONDS");
  work.is_uring = strcmp(argv[1], "uring") == 0;
  work.spins = strcmp(argv[1], "spin") == 0;
  if (!work.is_uring && !work.spins && strcmp(argv[1], "call") != 0)
    errx(2, "%s: none of call, spin, uring", argv[1]);
  unsigned kind = 0;
  while (kind < 3 && strcmp(argv[3], kWorks[kind]) != 0) kind++;
  if (kind == 3) errx(2, "%s: none of transmit, receive, round-trip", argv[3]);
  const unsigned size = number(argv[4], kSmallestFrame, kLargestFrame, "SIZE");
  const unsigned seconds = number(argv[5], 1, 3600, "SECONDS");

  work.size = kHeader + size;
  work.frames = calloc(kFrames, work.size);
  work.room = malloc((size_t)kBuffers * (kHeader + kLargestFrame));
  if (work.frames == NULL || work.room == NULL) errx(1, "no memory");
  for (unsigned i = 0; i < kFrames; i++) make_frame(work.frames + (size_t)i * work.size, size);
  open_tap(argv[2], !work.is_uring && !work.spins);
  if (work.is_uring) {
    make_ring();
    provide_buffers();
    if (kind != 0) arm_reads();
  }
  // When nothing comes, this ends the process.
  alarm(seconds + kPatienceSeconds);

  say("ready");
  Loop* loop = kLoops[kind][work.is_uring];
  loop(now_ns() + kWarmUpMs * 1000000u);
  say("measuring");
  const double begin_cpu_us = cpu_us();
  const uint64_t begin_ns = now_ns();
  const uint64_t done = loop(begin_ns + (uint64_t)seconds * 1000000000u);
  const double took_s = (double)(now_ns() - begin_ns) / 1e9;
  const double cpu = cpu_us() - begin_cpu_us;
  say("measured");
  printf("result frame_rate %.0f 1/s\n", (double)done / took_s);
  printf("result cpu_us %.4f us\n", cpu / (double)done);
  return 0;
}
