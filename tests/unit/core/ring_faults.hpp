// SPDX-License-Identifier: Apache-2.0
// A host that does not always take what it is given: the kernel answers a thread's io_uring_enter
// with an error as often as the test says, by a seccomp filter that asks another thread.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <thread>

#include "core/check.hpp"
#include "core/fd.hpp"
#include "core/types.hpp"

namespace mote::test {

class RingFaults {
 public:
  /// `error` (an errno) answers the next `count` calls that submit anything.
  RingFaults(int error, u32 count) : error_(error), left_(count) {}
  /// After the thread's end.
  ~RingFaults() {
    done_ = true;
    if (answers_.joinable()) answers_.join();
  }
  RingFaults(const RingFaults&) = delete;
  RingFaults& operator=(const RingFaults&) = delete;

  /// Begins, for the calling thread and for the rest of its life.
  void begin() {
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{4, rules};
    CHECK(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "a thread can give up privileges");
    listener_.reset(static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                               SECCOMP_FILTER_FLAG_NEW_LISTENER, &program)));
    CHECK(listener_, "seccomp can ask another thread");
    answers_ = std::thread([this] { answer(); });
  }
  /// How many errors are still to come.
  u32 left() const { return left_; }

 private:
  void answer() {
    while (!done_) {
      pollfd ready{listener_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0 || (ready.revents & POLLIN) == 0) continue;
      seccomp_notif call{};
      if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
      const bool fails = call.data.args[1] > 0 && left_ > 0;
      seccomp_notif_resp answer{};
      answer.id = call.id;
      answer.error = fails ? -error_ : 0;
      answer.flags = fails ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE;
      ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
      if (fails) --left_;
    }
  }

  const int error_;
  std::atomic<u32> left_;
  std::atomic<bool> done_{false};
  UniqueFd listener_;
  std::thread answers_;
};

}  // namespace mote::test
