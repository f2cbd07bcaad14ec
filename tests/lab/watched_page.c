// SPDX-License-Identifier: Apache-2.0
// Fills a page of this machine's RAM that lies above 256 MiB with a pattern, prints where it lies,
// waits for the end of its input, and says by its exit code whether the page is as it was. It needs
// root.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kPage = 4096, kPages = 32768, kPattern = 0xA5 };

static const uint64_t kLowest = 256 << 20;

int main(void) {
  unsigned char* pages = mmap(NULL, (size_t)kPages * kPage, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
  int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pages == MAP_FAILED || map < 0) return 2;
  unsigned char* page = NULL;
  uint64_t address = 0;
  for (int i = 0; i < kPages && page == NULL; ++i) {
    uint64_t entry = 0;
    off_t place = (off_t)((uintptr_t)(pages + (size_t)i * kPage) / kPage * sizeof entry);
    if (pread(map, &entry, sizeof entry, place) != sizeof entry) return 2;
    address = (entry & ((1ull << 55) - 1)) * kPage;
    if (address >= kLowest) page = pages + (size_t)i * kPage;
  }
  if (page == NULL) return 2;
  memset(page, kPattern, kPage);
  printf("%#llx\n", (unsigned long long)address);
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  for (int i = 0; i < kPage; ++i) {
    if (page[i] != kPattern) return 1;
  }
  return 0;
}
