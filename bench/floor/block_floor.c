// SPDX-License-Identifier: Apache-2.0
// block_floor: the most that a process can have of a file, for block devices to be measured
// against. One thread, no guest.
//
//   block_floor uring|fixed|psync|woken FILE randread|randwrite|seqread SIZE DEPTH SECONDS DIRECT
//
// uring keeps DEPTH requests of SIZE bytes in a ring and waits for whichever ends first; fixed does
// so with registered buffers; psync makes one call after the other. woken has a thread of its own
// make each request, which sleeps until an eventfd wakes it, while the one that wants the data
// looks for it all the time: a disk that does not poll, without the exits. DIRECT is 1 for
// O_DIRECT. Requests, numbers and buffers are those of the guest block_bench: a page-aligned buffer
// per slot, offsets by xorshift or ascending, all of FILE. Prints, after a warm-up of 0.2 seconds:
//   result iops N 1/s       requests per second
//   result cpu_us X us      processor time per request, the kernel's worker threads included; of
//                           woken, the thread's that makes the requests
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  kMaxDepth = 1024,
  kPage = 4096,
  kRequestsPerLook = 64,  // at the clock
  kWarmUpMs = 200,
  kEvent = kMaxDepth,  // as user data: no slot
};

static struct {
  int fd;
  bool writes;
  bool is_random;
  bool has_fixed_buffers;
  unsigned size;
  unsigned depth;
  uint64_t blocks;  // of `size` bytes in the file
  uint8_t* buffers;
} work;

// The thread of woken, and what passes between the two.
static struct {
  bool serves;
  pthread_t server;
  int event;
  atomic_ulong served;
} woken;

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double cpu_us(void) {
  if (woken.serves) {
    clockid_t clock;
    struct timespec used;
    if (pthread_getcpuclockid(woken.server, &clock) != 0 || clock_gettime(clock, &used) != 0) {
      errx(1, "cannot ask for the processor time of a thread");
    }
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
  }
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// The next request's place in the file.
static uint64_t next_offset(void) {
  static uint64_t state = 0x9E3779B97F4A7C15u;
  static uint64_t block;
  if (!work.is_random) {
    const uint64_t offset = block * work.size;
    if (++block == work.blocks) block = 0;
    return offset;
  }
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint64_t)(((unsigned __int128)state * work.blocks) >> 64) * work.size;
}

static uint8_t* buffer_of(unsigned slot) {
  return work.buffers + (size_t)slot * work.size;
}

static void check_done(int64_t result) {
  if (result == (int64_t)work.size) return;
  errno = result < 0 ? (int)-result : EIO;
  err(1, "request of %u bytes", work.size);
}

// Serves requests until `end_ns`; returns how many.
typedef uint64_t Loop(uint64_t end_ns);

static uint64_t run_psync(uint64_t end_ns) {
  uint64_t done = 0;
  do {
    for (unsigned i = 0; i < kRequestsPerLook; i++) {
      uint8_t* buffer = buffer_of((unsigned)(done++ % work.depth));
      const off_t offset = (off_t)next_offset();
      const ssize_t result = work.writes ? pwrite(work.fd, buffer, work.size, offset)
                                         : pread(work.fd, buffer, work.size, offset);
      check_done(result < 0 ? -errno : result);
    }
  } while (now_ns() < end_ns);
  return done;
}

static struct io_uring ring;

static void queue(unsigned slot) {
  struct io_uring_sqe* entry = io_uring_get_sqe(&ring);  // there are as many as slots
  static const uint8_t operations[2][2] = {{IORING_OP_READ, IORING_OP_WRITE},
                                           {IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED}};
  io_uring_prep_rw(operations[work.has_fixed_buffers][work.writes], entry, 0, buffer_of(slot),
                   work.size, next_offset());
  entry->flags = IOSQE_FIXED_FILE;
  entry->user_data = slot;
}

// Takes what is done; with `again`, its slots get their next request. Returns how many.
static unsigned reap(bool again) {
  struct io_uring_cqe* done;
  unsigned head;
  unsigned count = 0;
  io_uring_for_each_cqe(&ring, head, done) {
    check_done(done->res);
    if (again) queue((unsigned)done->user_data);
    count++;
  }
  io_uring_cq_advance(&ring, count);
  return count;
}

static void submit_and_wait(void) {
  const int result = io_uring_submit_and_wait(&ring, 1);
  if (result < 0 && result != -EINTR) errx(1, "io_uring_enter: %s", strerror(-result));
}

static uint64_t run_uring(uint64_t end_ns) {
  uint64_t done = 0;
  for (unsigned slot = 0; slot < work.depth; slot++) queue(slot);
  do {
    for (unsigned i = 0; i < kRequestsPerLook;) {
      submit_and_wait();
      const unsigned count = reap(true);
      done += count;
      i += count;
    }
  } while (now_ns() < end_ns);
  for (unsigned left = work.depth; left > 0;) {
    submit_and_wait();
    left -= reap(false);
  }
  return done;
}

static void make_ring(void) {
  int result = io_uring_queue_init(kMaxDepth, &ring,
                                   IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  if (result == -EINVAL) result = io_uring_queue_init(kMaxDepth, &ring, 0);  // before Linux 6.1
  if (result < 0) errx(1, "make the ring: %s", strerror(-result));
  const int files[] = {work.fd, woken.event};
  result = io_uring_register_files(&ring, files, woken.serves ? 2 : 1);
  if (result < 0) errx(1, "register the file: %s", strerror(-result));
  (void)io_uring_register_ring_fd(&ring);  // before Linux 5.18: as it was
  if (!work.has_fixed_buffers) return;
  const struct iovec all = {work.buffers, (size_t)work.depth * work.size};
  result = io_uring_register_buffers(&ring, &all, 1);
  if (result < 0) errx(1, "register the buffers: %s", strerror(-result));
}

static void wait_for_event(uint64_t* count) {
  struct io_uring_sqe* entry = io_uring_get_sqe(&ring);
  io_uring_prep_read(entry, 1, count, sizeof(*count), (uint64_t)-1);
  entry->flags = IOSQE_FIXED_FILE;
  entry->user_data = kEvent;
}

// The ring belongs to the thread that makes it.
_Noreturn static void* serve(void* nothing) {
  (void)nothing;
  uint64_t count;
  make_ring();
  wait_for_event(&count);
  for (;;) {
    submit_and_wait();
    struct io_uring_cqe* done;
    while (io_uring_peek_cqe(&ring, &done) == 0) {
      const struct io_uring_cqe copy = *done;
      io_uring_cqe_seen(&ring, done);
      if (copy.user_data == kEvent) {
        queue(0);
        wait_for_event(&count);
      } else {
        check_done(copy.res);
        atomic_fetch_add_explicit(&woken.served, 1, memory_order_release);
      }
    }
  }
}

static void start_server(void) {
  woken.serves = true;
  woken.event = eventfd(0, EFD_CLOEXEC);
  if (woken.event < 0) err(1, "eventfd");
  errno = pthread_create(&woken.server, NULL, serve, NULL);
  if (errno != 0) err(1, "thread");
}

static uint64_t run_woken(uint64_t end_ns) {
  const uint64_t before = atomic_load(&woken.served);
  uint64_t asked = before;
  do {
    for (unsigned i = 0; i < kRequestsPerLook; i++) {
      asked++;
      if (eventfd_write(woken.event, 1) != 0) err(1, "eventfd");
      while (atomic_load_explicit(&woken.served, memory_order_acquire) != asked) {
      }
    }
  } while (now_ns() < end_ns);
  return asked - before;
}

static unsigned number(const char* text, unsigned max, const char* name) {
  char* end;
  const unsigned long value = strtoul(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value > max) errx(2, "%s: 0 to %u: %s", name, max, text);
  return (unsigned)value;
}

int main(int argc, char** argv) {
  if (argc != 8) errx(2, "usage: block_floor ENGINE FILE MODE SIZE DEPTH SECONDS DIRECT");
  const bool is_psync = strcmp(argv[1], "psync") == 0;
  const bool is_woken = strcmp(argv[1], "woken") == 0;
  work.has_fixed_buffers = strcmp(argv[1], "fixed") == 0;
  if (!is_psync && !is_woken && !work.has_fixed_buffers && strcmp(argv[1], "uring") != 0)
    errx(2, "%s: none of uring, fixed, psync, woken", argv[1]);
  const char* mode = argv[3];
  work.writes = strcmp(mode, "randwrite") == 0;
  work.is_random = work.writes || strcmp(mode, "randread") == 0;
  if (!work.is_random && strcmp(mode, "seqread") != 0) errx(2, "%s: unknown mode", mode);
  work.size = number(argv[4], 1 << 20, "SIZE");
  work.depth = number(argv[5], kMaxDepth, "DEPTH");
  if (work.size == 0 || work.size % kPage != 0) errx(2, "SIZE: a multiple of %d", kPage);
  if (work.depth == 0) errx(2, "DEPTH: at least 1");
  if (is_woken && work.depth != 1) errx(2, "DEPTH: woken has one request at a time");
  const uint64_t run_ns = (uint64_t)number(argv[6], 3600, "SECONDS") * 1000000000u;
  const int direct = number(argv[7], 1, "DIRECT") == 1 ? O_DIRECT : 0;

  work.fd = open(argv[2], (work.writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | direct);
  if (work.fd < 0) err(1, "%s", argv[2]);
  struct stat status;
  if (fstat(work.fd, &status) != 0) err(1, "%s", argv[2]);
  work.blocks = (uint64_t)status.st_size / work.size;
  if (work.blocks == 0) errx(1, "%s: smaller than a request", argv[2]);
  const size_t all = (size_t)work.depth * work.size;
  work.buffers =
      mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (work.buffers == MAP_FAILED) err(1, "buffers");
  memset(work.buffers, 0x5A, all);
  if (is_woken) {
    start_server();
  } else if (!is_psync) {
    make_ring();
  }

  Loop* loop = is_psync ? run_psync : is_woken ? run_woken : run_uring;
  loop(now_ns() + kWarmUpMs * 1000000u);
  const double begin_cpu_us = cpu_us();
  const uint64_t begin_ns = now_ns();
  const uint64_t done = loop(begin_ns + run_ns);
  const double took_s = (double)(now_ns() - begin_ns) / 1e9;
  const double cpu = cpu_us() - begin_cpu_us;
  printf("result iops %.0f 1/s\n", (double)done / took_s);
  printf("result cpu_us %.4f us\n", cpu / (double)done);
  return 0;
}
