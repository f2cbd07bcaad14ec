// SPDX-License-Identifier: Apache-2.0
#include "core/ring.hpp"

#include <cerrno>
#include <iterator>

namespace mote {
namespace {

/// Places in the submission queue; when they are full a batch goes out early.
constexpr u32 kEntries = 64;

constexpr const char* kRemedy =
    "Mote does all of its I/O through io_uring: allow it with 'sysctl kernel.io_uring_disabled=0', "
    "or in the container's seccomp profile";

}  // namespace

Result<void> make_ring(io_uring& ring, u32 completions) {
  constexpr u32 kDeferred =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  constexpr u32 kWanted[] = {kDeferred, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0};
  int error = 0;
  for (const u32 flags : kWanted) {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | flags;
    parameters.cq_entries = completions;
    error = io_uring_queue_init_params(kEntries, &ring, &parameters);
    if (error == 0) return {};
    if (error != -EINVAL) break;
  }
  ring.ring_fd = -1;
  return Error::from_errno(-error, "cannot set up an io_uring", kRemedy);
}

bool ring_supports(io_uring& ring, int opcode) {
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  if (probe == nullptr) return false;
  const bool supported = io_uring_opcode_supported(probe, opcode) != 0;
  io_uring_free_probe(probe);
  return supported;
}

Result<void> restrict_ring(io_uring& ring, const RingUse& use) {
  constexpr u8 kOpcodes[] = {IORING_OP_READ,     IORING_OP_WRITE,        IORING_OP_READV,
                             IORING_OP_WRITEV,   IORING_OP_FSYNC,        IORING_OP_FALLOCATE,
                             IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL, IORING_OP_FILES_UPDATE};
  constexpr u8 kPinnedOpcodes[] = {IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED};
  constexpr u8 kRegistrations[] = {IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_FILES_UPDATE};
  constexpr std::size_t kMost =  // with multishot reads and the flags
      std::size(kOpcodes) + std::size(kPinnedOpcodes) + std::size(kRegistrations) + 2;
  io_uring_restriction rules[kMost] = {};
  io_uring_restriction* rule = rules;
  const auto allow = [&rule](u8 opcode) {
    rule->opcode = IORING_RESTRICTION_SQE_OP;
    (rule++)->sqe_op = opcode;
  };
  for (const u8 opcode : kOpcodes) allow(opcode);
  if (use.provided_buffers) allow(kReadMultishot);
  if (use.pinned_memory) {
    for (const u8 opcode : kPinnedOpcodes) allow(opcode);
  }
  for (const u8 registration : kRegistrations) {
    rule->opcode = IORING_RESTRICTION_REGISTER_OP;
    (rule++)->register_op = registration;
  }
  rule->opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  (rule++)->sqe_flags = IOSQE_FIXED_FILE | (use.provided_buffers ? IOSQE_BUFFER_SELECT : 0);
  const int error = io_uring_register_restrictions(&ring, rules, static_cast<u32>(rule - rules));
  if (error == 0) return {};
  return Error::from_errno(-error, "cannot restrict the io_uring",
                           "Mote needs Linux 5.10 or newer");
}

}  // namespace mote
