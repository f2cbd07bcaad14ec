// SPDX-License-Identifier: Apache-2.0
// Code out of data, and memory that is shared with others.
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

constexpr std::size_t kPage = 4096;
alignas(kPage) char g_page[kPage];

constexpr Act kActs[] = {
    {"executable_data", "mprotect", Wall::kFilterAlone,
     [](const Target&) { return call(SYS_mprotect, g_page, kPage, PROT_READ | PROT_EXEC); }},
    {"executable_data_by_key", "pkey_mprotect", Wall::kFilterAlone,
     [](const Target&) {
       return call(SYS_pkey_mprotect, g_page, kPage, PROT_READ | PROT_EXEC, -1);
     }},
    {"executable_memory", "mmap", Wall::kFilterAlone,
     [](const Target&) {
       return call(SYS_mmap, nullptr, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                   0);
     }},
    {"executable_shared_memory", "shmget", Wall::kFilterAlone,
     [](const Target&) {
       const long memory = call(SYS_shmget, IPC_PRIVATE, kPage, IPC_CREAT | 0600);
       if (memory < 0) return memory;
       const long address = call(SYS_shmat, memory, nullptr, SHM_EXEC);
       call(SYS_shmctl, memory, IPC_RMID, nullptr);
       return address;
     }},
    {"memory_file", "memfd_create", Wall::kFilterAlone,
     [](const Target&) { return call(SYS_memfd_create, "made", 0); }},
    {"memory_of_another", "shmget", Wall::kNamespaces,
     [](const Target& target) { return call(SYS_shmget, target.memory, 0, 0); }},
};

}  // namespace

std::span<const Act> memory_acts() {
  return kActs;
}

}  // namespace mote::acts
