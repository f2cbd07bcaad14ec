// SPDX-License-Identifier: Apache-2.0
#include <liburing.h>

#include <cerrno>
#include <cstdlib>

#include "cli/doctor/examine.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace mote {
namespace {

constexpr char kGroup[] = "io_uring";
constexpr unsigned kEntries = 8;

struct Operation {
  const char* name;
  const char* purpose;
  int number;
  Mark if_missing;
};

constexpr int kReadMultishot = 49;  // Linux 6.7

constexpr Operation kOperations[] = {
    {"READ", "serial input, block devices", IORING_OP_READ, Mark::kFatal},
    {"WRITE", "serial output, block devices", IORING_OP_WRITE, Mark::kFatal},
    {"POLL_ADD", "terminals and signals", IORING_OP_POLL_ADD, Mark::kFatal},
    {"ASYNC_CANCEL", "ending what is in flight", IORING_OP_ASYNC_CANCEL, Mark::kFatal},
    {"FSYNC", "flushes of block devices", IORING_OP_FSYNC, Mark::kMissing},
    {"FALLOCATE", "discards of block devices", IORING_OP_FALLOCATE, Mark::kMissing},
    {"READ_MULTISHOT", "events without a new request each (Linux 6.7)", kReadMultishot,
     Mark::kMissing},
};

struct SetupFlag {
  unsigned flags;
  const char* name;
  const char* purpose;
  Mark if_missing;
};

constexpr SetupFlag kSetupFlags[] = {
    {IORING_SETUP_R_DISABLED, "R_DISABLED", "restricting a ring before its first use",
     Mark::kFatal},
    {IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER", "cheaper submission (Linux 6.0)", Mark::kMissing},
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN",
     "completions in batches (Linux 6.1)", Mark::kMissing},
};

/// A ring with one owner.
class Ring {
 public:
  explicit Ring(unsigned flags) {
    io_uring_params parameters{};
    parameters.flags = flags;
    error_ = -io_uring_queue_init_params(kEntries, &ring_, &parameters);
  }
  ~Ring() {
    if (error_ == 0) io_uring_queue_exit(&ring_);
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// 0, or the errno of the set-up.
  int error() const { return error_; }
  io_uring* get() { return &ring_; }

 private:
  io_uring ring_{};
  int error_;
};

std::string setup_remedy(int error) {
  switch (error) {
    case EPERM:
      return "switched off: 'sysctl kernel.io_uring_disabled=0', or allow io_uring_setup in the "
             "container's seccomp profile";
    case ENOSYS:
      return "use a kernel with CONFIG_IO_URING, Linux 5.10 or newer";
    case ENOMEM:
      return "raise the limit of locked memory (ulimit -l)";
    default:
      return {};
  }
}

void examine_operations(Ring& ring, std::vector<Finding>& findings) {
  io_uring_probe* probe = io_uring_get_probe_ring(ring.get());
  for (const Operation& operation : kOperations) {
    const bool there = probe != nullptr && io_uring_opcode_supported(probe, operation.number) != 0;
    findings.push_back(
        {kGroup, operation.name, there ? Mark::kOk : operation.if_missing, operation.purpose, {}});
  }
  std::free(probe);
}

Finding restrictions_finding() {
  Finding finding{
      kGroup, "restrictions", Mark::kFatal, "a ring that can do what Mote needs only", {}};
  Ring ring(IORING_SETUP_R_DISABLED);
  io_uring_restriction rule{};
  rule.opcode = IORING_RESTRICTION_SQE_OP;
  rule.sqe_op = IORING_OP_READ;
  if (ring.error() == 0 && io_uring_register_restrictions(ring.get(), &rule, 1) == 0) {
    finding.mark = Mark::kOk;
  } else {
    finding.remedy = "use Linux 5.10 or newer";
  }
  return finding;
}

}  // namespace

void examine_io_uring(Diagnosis& diagnosis) {
  std::vector<Finding>& findings = diagnosis.findings;
  Ring ring(0);
  if (ring.error() != 0) {
    const std::string message = Error::from_errno(ring.error(), "cannot set up a ring").message();
    findings.push_back({kGroup, "set-up", Mark::kFatal, message, setup_remedy(ring.error())});
    return;
  }
  findings.push_back({kGroup, "set-up", Mark::kOk, "a ring can be made", {}});
  for (const SetupFlag& flag : kSetupFlags) {
    const bool there = Ring(flag.flags).error() == 0;
    findings.push_back({kGroup, flag.name, there ? Mark::kOk : flag.if_missing, flag.purpose, {}});
  }
  findings.push_back(restrictions_finding());
  examine_operations(ring, findings);
}

}  // namespace mote
