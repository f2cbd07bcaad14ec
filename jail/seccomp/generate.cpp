// SPDX-License-Identifier: Apache-2.0
// Turns the table into one program per role, as C++ on standard output: run by the build, never by
// Mote, which only loads what came of it.
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/filter.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "jail/seccomp/table.hpp"

namespace mote::jail {
namespace {

void expect(int result, const char* what) {
  if (result >= 0) return;
  std::fprintf(stderr, "seccomp generator: %s: %s\n", what, std::strerror(-result));
  std::exit(1);
}

void add(scmp_filter_ctx filter, const Rule& row) {
  std::vector<scmp_arg_cmp> comparisons;
  for (const Condition& condition : row.when()) {
    comparisons.push_back({.arg = condition.argument,
                           .op = SCMP_CMP_MASKED_EQ,
                           .datum_a = condition.mask,
                           .datum_b = condition.value});
  }
  const u32 action = row.verdict == Verdict::kAllow ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS);
  expect(seccomp_rule_add_array(filter, action, row.number,
                                static_cast<unsigned>(comparisons.size()), comparisons.data()),
         row.name);
}

std::vector<sock_filter> program(ThreadRole role) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
  if (filter == nullptr) expect(-ENOMEM, "seccomp_init");
  expect(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "architecture");
  // A tree instead of a chain: the kernel runs a new filter once for each call there is, to learn
  // which it need not be asked about again.
  expect(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "binary tree");
  for (const Rule& row : kSeccompTable) {
    if (row.applies_to(role)) add(filter, row);
  }
  const int file = ::memfd_create("filter", MFD_CLOEXEC);
  expect(file, "memfd_create");
  expect(seccomp_export_bpf(filter, file), "seccomp_export_bpf");
  seccomp_release(filter);
  const off_t size = ::lseek(file, 0, SEEK_END);
  std::vector<sock_filter> instructions(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (::pread(file, instructions.data(), static_cast<std::size_t>(size), 0) != size) {
    expect(-EIO, "read the program");
  }
  ::close(file);
  return instructions;
}

void print_program(ThreadRole role) {
  std::printf("constexpr sock_filter k_%s[] = {\n", role_name(role));
  for (const sock_filter& step : program(role)) {
    std::printf("    {0x%02x, %u, %u, 0x%08x},\n", step.code, step.jt, step.jf, step.k);
  }
  std::puts("};");
}

/// Names of calls, by number, for the message about a forbidden one.
void print_names() {
  constexpr int kBeyond = 1024;  // above all numbers of x86-64, below those of x32
  int count = 0;
  std::vector<char*> names(kBeyond);
  for (int number = 0; number < kBeyond; ++number) {
    names[static_cast<std::size_t>(number)] =
        seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
    if (names[static_cast<std::size_t>(number)] != nullptr) count = number + 1;
  }
  std::puts("constexpr const char* k_call_names[] = {");
  for (int number = 0; number < count; ++number) {
    const char* name = names[static_cast<std::size_t>(number)];
    if (name == nullptr) {
      std::puts("    nullptr,");
    } else {
      std::printf("    \"%s\",\n", name);
    }
  }
  std::puts("};");
}

}  // namespace
}  // namespace mote::jail

int main() {
  std::puts("// Made from jail/seccomp/table.hpp by jail/seccomp/generate.cpp.");
  for (const mote::ThreadRole role : mote::kThreadRoles) mote::jail::print_program(role);
  mote::jail::print_names();
  return 0;
}
