// SPDX-License-Identifier: Apache-2.0
// Numbered records on a disk, to find out whether what was flushed is there after a crash.
//
//   records                     in the guest: writes record after record to /dev/vda and prints
//                               "record N" once N is safe; how=... in the environment says how:
//                                 dsync      O_DIRECT and O_DSYNC, every write is flushed
//                                 fdatasync  through the page cache, fdatasync() after each
//                                 through    O_DIRECT to a disk told to write through, no flush
//   records check FILE COUNT    on the host: whether FILE holds the records 1 to COUNT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kWords = 512, kRecordSize = kWords * 8 };

static const char kDisk[] = "/dev/vda";
static const char kCacheType[] = "/sys/block/vda/cache_type";

static int complain(const char* what, const char* object) {
  fprintf(stderr, "records: %s: %s: %s\n", what, object, strerror(errno));
  return 1;
}

// Every word tells its record and its place.
static uint64_t word_of(uint64_t record, uint64_t index) {
  return record << 16 | index;
}

static int write_through(void) {
  static const char wanted[] = "write through";
  int file = open(kCacheType, O_RDWR | O_CLOEXEC);
  if (file < 0 || write(file, wanted, strlen(wanted)) < 0) return complain("set", kCacheType);
  char got[64] = "";
  if (pread(file, got, sizeof got - 1, 0) < 0) return complain("read", kCacheType);
  close(file);
  if (strncmp(got, wanted, strlen(wanted)) != 0) {
    fprintf(stderr, "records: the disk stays at %s\n", got);
    return 1;
  }
  return 0;
}

static int write_records(const char* how) {
  int flags = O_DIRECT;
  if (strcmp(how, "dsync") == 0) {
    flags |= O_DSYNC;
  } else if (strcmp(how, "fdatasync") == 0) {
    flags = 0;
  } else if (strcmp(how, "through") != 0) {
    fprintf(stderr, "records: how=%s: not known\n", how);
    return 2;
  } else if (write_through() != 0) {
    return 1;
  }
  int disk = open(kDisk, O_WRONLY | O_CLOEXEC | flags);
  if (disk < 0) return complain("open", kDisk);
  off_t size = lseek(disk, 0, SEEK_END);
  static _Alignas(kRecordSize) uint64_t words[kWords];
  for (uint64_t record = 1; (off_t)(record * kRecordSize) <= size; ++record) {
    for (uint64_t index = 0; index < kWords; ++index) words[index] = word_of(record, index);
    if (pwrite(disk, words, sizeof words, (off_t)((record - 1) * kRecordSize)) != sizeof words) {
      return complain("write", kDisk);
    }
    if (strcmp(how, "fdatasync") == 0 && fdatasync(disk) != 0) return complain("flush", kDisk);
    printf("record %llu\n", (unsigned long long)record);
    fflush(stdout);
  }
  printf("disk full\n");
  return 0;
}

static int check_records(const char* path, uint64_t count) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return complain("open", path);
  static uint64_t words[kWords];
  for (uint64_t record = 1; record <= count; ++record) {
    if (pread(file, words, sizeof words, (off_t)((record - 1) * kRecordSize)) != sizeof words) {
      return complain("read", path);
    }
    for (uint64_t index = 0; index < kWords; ++index) {
      if (words[index] == word_of(record, index)) continue;
      fprintf(stderr, "records: %s: record %llu of %llu is not there: word %llu is %#llx\n", path,
              (unsigned long long)record, (unsigned long long)count, (unsigned long long)index,
              (unsigned long long)words[index]);
      return 1;
    }
  }
  close(file);
  return 0;
}

int main(int argc, char** argv) {
  const char* how = getenv("how");
  if (argc == 1) return write_records(how ? how : "dsync");
  if (argc == 4 && strcmp(argv[1], "check") == 0) {
    return check_records(argv[2], strtoull(argv[3], NULL, 10));
  }
  fprintf(stderr, "usage: records | records check FILE COUNT\n");
  return 2;
}
