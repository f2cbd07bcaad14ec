// SPDX-License-Identifier: Apache-2.0
// Other programs, and more processes.
#include <elf.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstddef>
#include <cstring>

#include "tests/acts/act.hpp"

namespace mote::acts {
namespace {

/// In the new process: its end. In the old one: the answer, after that.
long end_child(long pid) {
  if (pid == 0) call(SYS_exit_group, 0);
  if (pid > 0) call(SYS_wait4, pid, nullptr, 0, nullptr);
  return pid;
}

long new_process_by_clone3(u64 flags) {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.exit_signal = SIGCHLD;
  return end_child(call(SYS_clone3, &arguments, sizeof(arguments)));
}

long execute_shell() {
  const char* const words[] = {"/bin/sh", "-c", "echo 'act: execute: 0 done' >&2", nullptr};
  return call(SYS_execve, words[0], words, environ);
}

/// A program that says what `perform` would say, and ends.
struct Program {
  Elf64_Ehdr header{};
  Elf64_Phdr segment{};
  unsigned char code[37] = {
      0xB8, 1,    0,    0, 0,     // mov eax, write
      0xBF, 2,    0,    0, 0,     // mov edi, standard error
      0x48, 0x8D, 0x35, 0, 0, 0,  // lea rsi, [rip + 16]: text
      0,                          //
      0xBA, 0,    0,    0, 0,     // mov edx, size of text
      0x0F, 0x05,                 // syscall
      0x31, 0xFF,                 // xor edi, edi
      0xB8, 231,  0,    0, 0,     // mov eax, exit_group
      0x0F, 0x05,                 // syscall
  };
  char text[36] = {};
};

Program make_program(const char* text) {
  constexpr u64 kAddress = 0x400000;
  constexpr std::size_t kCodeSize = 33;
  constexpr std::size_t kBehindLea = 17;
  Program program;
  std::strcpy(program.text, text);
  std::memcpy(program.header.e_ident, ELFMAG, SELFMAG);
  program.header.e_ident[EI_CLASS] = ELFCLASS64;
  program.header.e_ident[EI_DATA] = ELFDATA2LSB;
  program.header.e_ident[EI_VERSION] = EV_CURRENT;
  program.header.e_type = ET_EXEC;
  program.header.e_machine = EM_X86_64;
  program.header.e_version = EV_CURRENT;
  program.header.e_entry = kAddress + offsetof(Program, code);
  program.header.e_phoff = offsetof(Program, segment);
  program.header.e_ehsize = sizeof(Elf64_Ehdr);
  program.header.e_phentsize = sizeof(Elf64_Phdr);
  program.header.e_phnum = 1;
  program.segment.p_type = PT_LOAD;
  program.segment.p_flags = PF_R | PF_X;
  program.segment.p_vaddr = kAddress;
  program.segment.p_filesz = program.segment.p_memsz = sizeof(Program);
  program.segment.p_align = 0x1000;
  static_assert(kCodeSize <= sizeof(Program::code));
  program.code[13] = static_cast<unsigned char>(sizeof(program.code) - kBehindLea);
  program.code[18] = static_cast<unsigned char>(std::strlen(program.text));
  return program;
}

long execute_from_memory() {
  const long file = call(SYS_memfd_create, "program", MFD_CLOEXEC);
  const Program program = make_program("act: execute_from_memory: 0 done\n");
  if (file < 0 || call(SYS_write, file, &program, sizeof(program)) < 0) return -1;
  const char* const words[] = {"program", nullptr};
  return call(SYS_execveat, file, "", words, environ, AT_EMPTY_PATH);
}

long execute_from_shown(const Target& target) {
  const std::string path = target.folder + "/shown/program";
  const long file = call(SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT, 0700);
  const Program program = make_program("act: execute_from_shown: 0 done\n");
  if (file < 0 || call(SYS_write, file, &program, sizeof(program)) < 0) return -1;
  call(SYS_close, file);
  const char* const words[] = {"program", nullptr};
  return call(SYS_execve, path.c_str(), words, environ);
}

long map_code_of_shown(const Target& target) {
  const std::string path = target.folder + "/shown/image";
  const long file = call(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY);
  return file < 0 ? -1 : call(SYS_mmap, nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
}

/// For the sake of a C library that then takes another way.
constexpr jail::RoleSet kRefusedByFilter = jail::roles(ThreadRole::kStart);

constexpr Act kActs[] = {
    {"execute", "execve", Wall::kRoot, [](const Target&) { return execute_shell(); }},
    {"execute_from_memory", "memfd_create", Wall::kFilterAlone,
     [](const Target&) { return execute_from_memory(); }},
    {"execute_from_shown", "openat execve", Wall::kRoot, &execute_from_shown},
    {"map_code_of_shown", "openat mmap", Wall::kRoot, &map_code_of_shown},
    {"fork", "fork", Wall::kFilterAlone, [](const Target&) { return end_child(call(SYS_fork)); }},
    {"vfork", "vfork", Wall::kFilterAlone,
     [](const Target&) {
       const long child = ::vfork();
       if (child == 0) ::_exit(0);
       return child;
     }},
    {"clone", "clone", Wall::kFilterAlone,
     [](const Target&) {
       return end_child(call(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0));
     }},
    {"clone3", "clone3", Wall::kFilterAlone, [](const Target&) { return new_process_by_clone3(0); },
     kRefusedByFilter},
    {"clone_into_namespaces", "clone", Wall::kPrivileges,
     [](const Target&) {
       return end_child(
           call(SYS_clone, SIGCHLD | CLONE_NEWUSER | CLONE_NEWNS, nullptr, nullptr, nullptr, 0));
     }},
    {"clone3_into_namespaces", "clone3", Wall::kPrivileges,
     [](const Target&) { return new_process_by_clone3(CLONE_NEWUSER | CLONE_NEWNET); },
     kRefusedByFilter},
};

}  // namespace

std::span<const Act> program_acts() {
  return kActs;
}

}  // namespace mote::acts
