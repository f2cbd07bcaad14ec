// SPDX-License-Identifier: Apache-2.0
// floor: the least that a process can do to run a guest. The calls that KVM cannot be had without,
// in the cheapest order, and a serial port that can only write. One thread.
//
//   floor [--steps] GUEST.elf
//
// The guest is one of guests/: a PVH ELF whose first segment lies at file offset 4 KiB and physical
// address 1 MiB. It runs until it powers itself off. --steps prints on standard error what each
// step took.
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
  kMemorySize = 128 << 20,
  kImageAddress = (1 << 20) - 4096,  // of the file's first byte
  kImageMax = 1 << 20,
  kStartInfo = 0x6000,
  kPins = 24,
  kCpuidMax = 256,
  kSteps = 16,
  kPvhNote = 18,  // XEN_ELFNOTE_PHYS32_ENTRY

  kSerialData = 0x3F8,
  kSerialLineStatus = 0x3FD,
  kTransmitterEmpty = 0x60,
  kSleepControl = 0x600,
  kPm1Control = 0x604,
};

// [Xen, arch-x86/hvm/start_info.h]
struct start_page {
  uint32_t magic, version, flags, module_count;
  uint64_t module_list, cmdline, rsdp, map;
  uint32_t map_count, reserved;
  struct {
    uint64_t start, size;
    uint32_t type, reserved;
  } ram;
};

static struct {
  const char* name;
  uint64_t at_ns;
} steps[kSteps];
static unsigned step_count;
static bool wants_steps;

static uint64_t now_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void step(const char* name) {
  if (!wants_steps || step_count == kSteps) return;
  steps[step_count].name = name;
  steps[step_count++].at_ns = now_ns(CLOCK_MONOTONIC);
}

static void print_steps(uint64_t start_ns) {
  uint64_t before = start_ns;
  for (unsigned i = 0; i < step_count; i++) {
    fprintf(stderr, "%9.1f %+9.1f us  %s\n", (double)(steps[i].at_ns - start_ns) / 1e3,
            (double)(steps[i].at_ns - before) / 1e3, steps[i].name);
    before = steps[i].at_ns;
  }
}

static int checked(int result, const char* what) {
  if (result < 0) err(1, "%s", what);
  return result;
}
#define CALL(fd, request, argument) checked(ioctl(fd, request, argument), #request)

// Reads the file to where its segments belong and returns the 32-bit entry point of its PVH note.
static uint32_t load(uint8_t* ram, const char* path) {
  const int fd = checked(open(path, O_RDONLY | O_CLOEXEC), path);
  uint8_t* image = ram + kImageAddress;
  const ssize_t size = read(fd, image, kImageMax);
  if (size < (ssize_t)sizeof(Elf64_Ehdr) || memcmp(image, ELFMAG, SELFMAG) != 0)
    errx(1, "%s: not an ELF", path);
  const Elf64_Ehdr* header = (const Elf64_Ehdr*)image;
  const Elf64_Phdr* program = (const Elf64_Phdr*)(image + header->e_phoff);
  uint32_t entry = 0;
  uint64_t end = 0;  // of what belongs into memory
  for (unsigned i = 0; i < header->e_phnum; i++, program++) {
    if (program->p_offset + program->p_filesz > (uint64_t)size) errx(1, "%s: too big", path);
    if (program->p_type == PT_LOAD && program->p_paddr - program->p_offset != kImageAddress)
      errx(1, "%s: linked elsewhere", path);
    if (program->p_type == PT_LOAD) end = program->p_offset + program->p_filesz;
    if (program->p_type != PT_NOTE) continue;
    const Elf64_Nhdr* note = (const Elf64_Nhdr*)(image + program->p_offset);
    if (note->n_type == kPvhNote) memcpy(&entry, (const uint8_t*)(note + 1) + 4, sizeof(entry));
  }
  if (entry == 0) errx(1, "%s: no PVH note", path);
  memset(image + end, 0, (size_t)size - end);  // symbols, where the guest has its zeroed data
  return entry;
}

static void enter(int vcpu, uint32_t entry) {
  struct kvm_sregs special;
  CALL(vcpu, KVM_GET_SREGS, &special);
  const struct kvm_segment code = {
      .limit = ~0u, .selector = 8, .type = 0xB, .present = 1, .db = 1, .s = 1, .g = 1};
  const struct kvm_segment data = {
      .limit = ~0u, .selector = 16, .type = 0x3, .present = 1, .db = 1, .s = 1, .g = 1};
  special.cs = code;
  special.ds = special.es = special.fs = special.gs = special.ss = data;
  special.cr0 = 0x11;  // protected mode, ET
  CALL(vcpu, KVM_SET_SREGS, &special);
  struct kvm_regs general = {.rip = entry, .rbx = kStartInfo, .rflags = 2};
  CALL(vcpu, KVM_SET_REGS, &general);
}

int main(int argc, char** argv) {
  wants_steps = argc == 3 && strcmp(argv[1], "--steps") == 0;
  if (argc != 2 + wants_steps) errx(2, "usage: floor [--steps] GUEST.elf");
  // The process started when it had used no time of the processor.
  const uint64_t start_ns =
      wants_steps ? now_ns(CLOCK_MONOTONIC) - now_ns(CLOCK_PROCESS_CPUTIME_ID) : 0;
  step("process start");

  const int kvm = checked(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
  const int vm = CALL(kvm, KVM_CREATE_VM, 0);
  struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {kPins}};
  CALL(vm, KVM_ENABLE_CAP, &split);
  step("VM created");

  uint8_t* ram = mmap(NULL, kMemorySize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (ram == MAP_FAILED) err(1, "guest RAM");
  struct kvm_userspace_memory_region slot = {.memory_size = kMemorySize,
                                             .userspace_addr = (uint64_t)ram};
  CALL(vm, KVM_SET_USER_MEMORY_REGION, &slot);
  step("memory set");

  const uint32_t entry = load(ram, argv[argc - 1]);
  *(struct start_page*)(ram + kStartInfo) = (struct start_page){
      .magic = 0x336EC578,
      .version = 1,
      .map = kStartInfo + offsetof(struct start_page, ram),
      .map_count = 1,
      .ram = {.size = kMemorySize, .type = 1},
  };
  step("image loaded");

  const int vcpu = CALL(vm, KVM_CREATE_VCPU, 0);
  const int run_size = CALL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  struct kvm_run* run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  if (run == MAP_FAILED) err(1, "kvm_run");
  step("vCPU created");

  static uint64_t
      room[(sizeof(struct kvm_cpuid2) + kCpuidMax * sizeof(struct kvm_cpuid_entry2)) / 8];
  struct kvm_cpuid2* cpuid = (struct kvm_cpuid2*)room;
  cpuid->nent = kCpuidMax;
  CALL(kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
  step("CPUID asked for");
  CALL(vcpu, KVM_SET_CPUID2, cpuid);
  step("CPUID set");
  enter(vcpu, entry);
  step("registers set");

  bool seen_exit = false;
  bool seen_byte = false;
  for (;;) {
    CALL(vcpu, KVM_RUN, 0);
    if (!seen_exit) step("first exit");
    seen_exit = true;
    if (run->exit_reason == KVM_EXIT_MMIO) continue;
    if (run->exit_reason != KVM_EXIT_IO) errx(1, "exit reason %u", run->exit_reason);
    uint8_t* data = (uint8_t*)run + run->io.data_offset;
    if (run->io.direction == KVM_EXIT_IO_IN) {
      memset(data, run->io.port == kSerialLineStatus ? kTransmitterEmpty : 0xFF, run->io.size);
    } else if (run->io.port == kSerialData) {
      if (write(STDOUT_FILENO, data, 1) != 1) err(1, "standard output");
      if (!seen_byte) step("first byte");
      seen_byte = true;
    } else if (run->io.port == kSleepControl || run->io.port == kPm1Control) {
      break;
    }
  }
  step("power-off");
  if (wants_steps) print_steps(start_ns);
  _exit(0);
}
