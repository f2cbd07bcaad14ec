// SPDX-License-Identifier: Apache-2.0
// The table: which system calls each role may make, how, and why. All else ends the VM.
//
// Limits: vcpu 12, vcpu_vfio 15, unplug 12, loop 20, api 25 distinct calls. What only the start
// needs costs a guest that broke out nothing: its threads have given it up.
#pragma once

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/vfio.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "jail/seccomp/rule.hpp"

namespace mote::jail {
namespace table {

inline constexpr u32 kAll = ~0U;
inline constexpr RoleSet kStart = roles(ThreadRole::kStart);
inline constexpr RoleSet kVcpu = roles(ThreadRole::kVcpu, ThreadRole::kVcpuVfio);
inline constexpr RoleSet kVcpuVfio = roles(ThreadRole::kVcpuVfio);
inline constexpr RoleSet kUnplug = roles(ThreadRole::kUnplug);
inline constexpr RoleSet kLoop = roles(ThreadRole::kLoop);
inline constexpr RoleSet kApi = roles(ThreadRole::kApi);
inline constexpr RoleSet kSupervisor = roles(ThreadRole::kSupervisor);
inline constexpr RoleSet kThreads = kVcpu | kLoop | kApi;
inline constexpr RoleSet kEverybody = kThreads | kUnplug | kSupervisor;

/// The number of a request whose structure ends in a flexible array, which sizeof gets wrong in
/// C++: what counts is the header of 8 bytes.
constexpr u32 table_request(unsigned long request) {
  constexpr unsigned long kSizeBits = static_cast<unsigned long>(_IOC_SIZEMASK) << _IOC_SIZESHIFT;
  return static_cast<u32>((request & ~kSizeBits) | (8UL << _IOC_SIZESHIFT));
}

constexpr Rule rule(RoleSet roles, int number, const char* name, const char* reason) {
  return {roles, number, name, {}, 0, reason};
}
constexpr Rule rule(RoleSet roles, int number, const char* name, Condition first,
                    const char* reason) {
  return {roles, number, name, {first}, 1, reason};
}
constexpr Rule rule(RoleSet roles, int number, const char* name, Condition first, Condition second,
                    const char* reason) {
  return {roles, number, name, {first, second}, 2, reason};
}
constexpr Rule missing(RoleSet roles, int number, const char* name, const char* reason) {
  return {roles, number, name, {}, 0, reason, Verdict::kNoSuchCall};
}

// A call's number and name; an argument that is a named constant, or that has none of some bits.
#define CALL(name) SYS_##name, #name
#define IS(argument, what, constant)                                  \
  Condition {                                                         \
    argument, kAll, static_cast<u32>(constant), what " is " #constant \
  }
#define WITHOUT(argument, what, bits)                           \
  Condition {                                                   \
    argument, static_cast<u32>(bits), 0, what " without " #bits \
  }
#define REQUEST(constant)                                        \
  Condition {                                                    \
    1, kAll, static_cast<u32>(constant), "request is " #constant \
  }
#define TABLE_REQUEST(constant)                               \
  Condition {                                                 \
    1, kAll, table_request(constant), "request is " #constant \
  }

/// Of <linux/iommufd.h>, which headers of an older distribution do not have.
#ifndef IOMMU_IOAS_UNMAP
#define IOMMU_IOAS_UNMAP _IO(';', 0x86)
#endif

/// What pthread_create asks for.
inline constexpr u32 kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM |
                                    CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |
                                    CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

inline constexpr Condition kKicksHandler = {0, kAll, kVcpuKickSignal, "signal is SIGRTMIN"};
inline constexpr Condition kKick = {2, kAll, kVcpuKickSignal, "signal is SIGRTMIN"};

inline constexpr Rule kRules[] = {
    // The guest's work.
    rule(kVcpu, CALL(ioctl), REQUEST(KVM_RUN), "run the guest"),
    rule(kVcpu, CALL(ioctl), REQUEST(KVM_INTERRUPT), "hand over an interrupt of the PIC pair"),
    rule(kVcpu | kLoop, CALL(ioctl), REQUEST(KVM_SIGNAL_MSI), "deliver an interrupt"),
    rule(kVcpu | kLoop | kUnplug, CALL(ioctl), TABLE_REQUEST(KVM_SET_GSI_ROUTING),
         "route an interrupt as the guest programs it"),
    rule(kVcpu, CALL(ioctl), REQUEST(KVM_KVMCLOCK_CTRL), "tell the guest that it stood still"),
    rule(kVcpu, CALL(ioctl), REQUEST(KVM_GET_REGS), "say where a vCPU stopped"),
    rule(kVcpu, CALL(ioctl), REQUEST(KVM_TRANSLATE), "show the instruction where it stopped"),
    rule(kVcpu | kLoop, CALL(ioctl), REQUEST(TUNSETOFFLOAD), "follow the guest's offloads"),
    rule(kVcpu | kLoop, CALL(ioctl), REQUEST(TUNSETQUEUE), "follow the guest's number of queues"),
    rule(kLoop | kApi, CALL(lseek), "see the new size of a disk"),
    rule(kLoop, CALL(io_uring_enter), "submit I/O and wait for its end"),
    rule(kLoop, CALL(pwrite64), "a small buffered write, which a ring would hand to a worker"),
    rule(kLoop, CALL(pwritev), "the same, of several pieces"),
    rule(kVcpu, CALL(pwritev2), IS(5, "flags", RWF_NOWAIT), "console output that does not wait"),
    rule(kEverybody, CALL(write), "wake a loop, raise an interrupt, log; the console's file"),
    rule(kVcpu | kLoop, CALL(timerfd_create), IS(0, "clock", CLOCK_MONOTONIC),
         IS(1, "flags", TFD_CLOEXEC), "the guest arms a timer for the first time"),
    rule(kVcpu | kLoop, CALL(timerfd_settime), "arm and cancel timers"),
    rule(kThreads, CALL(tgkill), kKick, "have a vCPU look up"),

    // Devices of the host. A filter knows no descriptors: who has none of them has no such calls.
    rule(kVcpuVfio, CALL(pwrite64), "write a device's configuration and the trapped part of a BAR"),
    rule(kVcpuVfio, CALL(read), "take an interrupt that was held back"),
    rule(kStart, CALL(ioctl), REQUEST(VFIO_DEVICE_SET_IRQS), "switch a device's interrupts on"),
    rule(kStart, CALL(ioctl), REQUEST(VFIO_IOMMU_UNMAP_DMA), "after a start that failed"),
    rule(kStart, CALL(ioctl), REQUEST(IOMMU_IOAS_UNMAP), "after a start that failed, by iommufd"),

    rule(kStart | kUnplug, CALL(ioctl), REQUEST(KVM_SET_USER_MEMORY_REGION),
         "a device's memory, in the guest or no longer"),
    rule(kUnplug, CALL(ioctl), REQUEST(KVM_SET_DEVICE_ATTR), "have KVM let go of its group"),
    rule(kUnplug, CALL(munmap), "let go of its memory"),

    // What threads do by themselves.
    rule(kThreads | kUnplug, CALL(futex), "locks and waits between threads"),
    rule(kLoop, CALL(clock_nanosleep), "wait until the host takes a submission"),
    rule(kLoop, CALL(restart_syscall), "go on with that after the process was stopped"),
    rule(kThreads | kUnplug, CALL(sched_yield), "the first moments of such a wait"),
    rule(kThreads | kUnplug, CALL(clock_gettime),
         "the time, where the host's clock needs the kernel"),
    rule(kThreads | kUnplug, CALL(brk), "the heap, which has no other source"),
    rule(kEverybody, CALL(rt_sigreturn), "return from the handler of a signal"),
    rule(kEverybody, CALL(exit_group), "end the process"),
    rule(kEverybody, CALL(ioctl), IS(0, "descriptor", STDIN_FILENO), REQUEST(TCSETS),
         "give the terminal back at the end"),
    rule(kEverybody, CALL(ioctl), IS(0, "descriptor", STDIN_FILENO), REQUEST(TCGETS),
         "which glibc does around that"),
    rule(kLoop, CALL(mmap), WITHOUT(2, "protection", PROT_EXEC), "room for a queue's requests"),
    rule(kLoop, CALL(munmap), "give back the room of a smaller queue"),

    // The API: HTTP on a socket that was listening before.
    rule(kApi, CALL(accept4), "take a connection"),
    rule(kApi, CALL(recvmsg), "requests, and descriptors that come with them"),
    rule(kApi, CALL(sendto), "answers"),
    rule(kApi, CALL(read), "requests, wake-ups, what the kernel answers"),
    rule(kApi, CALL(close), "a connection, or what was needed once"),
    rule(kApi, CALL(shutdown), "tell the other end that no more comes"),
    rule(kApi, CALL(poll), "wait for connections and requests"),
    rule(kApi, CALL(restart_syscall), "go on waiting after the process was stopped"),

    // The API: another image for a disk, of what the VM's process sees.
    rule(kApi, CALL(openat), "open it"),
    rule(kApi, CALL(newfstatat), "what it is; whose the socket's file is at the end"),
    rule(kApi, CALL(statx), "how it is aligned"),
    rule(kApi, CALL(fcntl), "lock it"),
    rule(kApi, CALL(pread64), "refuse what is no raw image"),
    rule(kApi, CALL(fallocate), IS(1, "mode", (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)),
         "whether blocks can be given back"),
    rule(kApi, CALL(ioctl), REQUEST(BLKSSZGET), "the block size of a device"),
    rule(kApi, CALL(ioctl), REQUEST(BLKPBSZGET), "the same"),
    rule(kApi, CALL(unlinkat), "remove the socket's file at the end"),

    // The start: from the lock-in to the guest's first instruction. Files are open by then, the VM
    // has its memory, and the loops their rings.
    rule(kStart, CALL(seccomp), IS(0, "operation", SECCOMP_SET_MODE_FILTER),
         "threads give up more when the start is over"),
    rule(kStart | kVcpuVfio, CALL(pread64), "images, into guest RAM; a device of the host"),
    rule(kStart | kUnplug, CALL(close), "images, when they are there; a device and its group"),
    rule(kStart, CALL(madvise), "huge pages for them"),
    rule(kStart, CALL(eventfd2), "kicks, interrupts and wake-ups"),
    rule(kStart, CALL(io_uring_register), IS(1, "opcode", IORING_REGISTER_FILES_UPDATE),
         "files for a ring"),
    rule(kStart, CALL(io_uring_register), IS(1, "opcode", IORING_REGISTER_BUFFERS),
         "guest RAM for a ring, pinned"),
    rule(kStart, CALL(io_uring_register), IS(1, "opcode", IORING_REGISTER_PROBE),
         "what a ring is capable of"),
    rule(kStart, CALL(io_uring_register), IS(1, "opcode", IORING_REGISTER_PBUF_RING),
         "buffers for a ring to read into"),
    rule(kStart, CALL(ioctl), TABLE_REQUEST(KVM_SET_CPUID2), "what the guest sees"),
    rule(kStart, CALL(ioctl), TABLE_REQUEST(KVM_SET_MSRS), "a vCPU's first state"),
    rule(kStart, CALL(ioctl), REQUEST(KVM_GET_TSC_KHZ), "what the guest is told of its clock"),
    rule(kStart, CALL(ioctl), REQUEST(KVM_GET_SREGS), "a vCPU's first state"),
    rule(kStart, CALL(ioctl), REQUEST(KVM_SET_SREGS), "a vCPU's first state"),
    rule(kStart, CALL(ioctl), REQUEST(KVM_SET_REGS), "a vCPU's first state"),
    rule(kStart, CALL(ioctl), REQUEST(KVM_IOEVENTFD), "kicks of queues"),
    rule(kStart | kVcpuVfio | kUnplug, CALL(ioctl), REQUEST(KVM_IRQFD),
         "interrupts of devices; hold back those of a device of the host"),
    missing(kStart, CALL(clone3), "its flags lie in memory, where no filter sees them"),
    rule(kStart, CALL(clone), IS(0, "flags", kThreadFlags), "start threads"),
    rule(kStart, CALL(mprotect), WITHOUT(2, "protection", PROT_EXEC), "their stacks"),
    rule(kStart, CALL(set_robust_list), "a new thread's first call"),
    rule(kStart, CALL(rseq), "a new thread's second call"),
    rule(kStart, CALL(prctl), IS(0, "option", PR_SET_NAME), "its name"),
    rule(kStart, CALL(rt_sigprocmask), "signals while it is made"),
    rule(kStart, CALL(rt_sigaction), kKicksHandler, "what happens when it is kicked"),
    rule(kStart, CALL(gettid), "whom to kick"),
    rule(kStart, CALL(getpid), "whom to kick"),
    rule(kStart, CALL(exit), "a thread that was started in vain"),

    // The supervisor: waits for the process that holds the VM, and cleans up behind it.
    rule(kSupervisor, CALL(waitid), "how the VM's process ended"),
    rule(kSupervisor, CALL(rt_sigtimedwait), "wait for that, and for signals to pass on"),
    rule(kSupervisor, CALL(pidfd_send_signal), "pass a signal on"),
    rule(kSupervisor, CALL(restart_syscall), "go on waiting after the process was stopped"),
    rule(kSupervisor, CALL(shutdown), "have the guard remove the control group"),
    rule(kSupervisor, CALL(close), "the same"),
    rule(kSupervisor, CALL(wait4), "until it has"),
    rule(kSupervisor, CALL(newfstatat), "whether the API's socket is still the VM's"),
    rule(kSupervisor, CALL(unlinkat), "remove it"),
    rule(kSupervisor, CALL(brk), "the heap"),
    rule(kSupervisor, CALL(clock_gettime), "the time, where the host's clock needs the kernel"),
};

#undef CALL
#undef IS
#undef WITHOUT
#undef REQUEST
#undef TABLE_REQUEST

}  // namespace table

/// All rows, in the order in which they are shown.
inline constexpr std::span<const Rule> kSeccompTable = table::kRules;

/// How many distinct calls `role` may make.
constexpr u32 count_calls(ThreadRole role) {
  u32 count = 0;
  for (std::size_t i = 0; i < kSeccompTable.size(); ++i) {
    const auto counts = [role](const Rule& row) {
      return row.applies_to(role) && row.verdict == Verdict::kAllow;
    };
    bool is_new = counts(kSeccompTable[i]);
    for (std::size_t before = 0; before < i && is_new; ++before) {
      const Rule& other = kSeccompTable[before];
      is_new = !(counts(other) && other.number == kSeccompTable[i].number);
    }
    count += is_new ? 1 : 0;
  }
  return count;
}

static_assert(count_calls(ThreadRole::kVcpu) <= 12);
static_assert(count_calls(ThreadRole::kVcpuVfio) <= 15);
static_assert(count_calls(ThreadRole::kUnplug) <= 12);
static_assert(count_calls(ThreadRole::kLoop) <= 20);
static_assert(count_calls(ThreadRole::kApi) <= 25);

}  // namespace mote::jail
