// SPDX-License-Identifier: Apache-2.0
// ioctl on KVM's descriptors: retried on EINTR, failures carry the request's name. Only for
// vmm/kvm.
#pragma once

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "core/fd.hpp"
#include "core/result.hpp"

namespace mote::kvm {

/// A request and the name it has in the kernel's headers.
struct Request {
  unsigned long number;
  const char* name;
};
#define KVM_REQUEST(request) (::mote::kvm::Request{request, #request})

/// Issues `request`. `object` says on what, in the Error only: "slot 1, GPA 0x100000000, 3072 MiB".
template <class Argument>
Result<int> kvm_ioctl(const UniqueFd& fd, Request request, Argument argument,
                      std::string_view object = {}) {
  for (;;) {
    const int result = ::ioctl(fd.get(), request.number, argument);
    if (result >= 0) return result;
    if (errno == EINTR) continue;
    const int error = errno;
    std::string what = std::string(request.name) + " failed";
    if (!object.empty()) what += " (" + std::string(object) + ")";
    return Error::from_errno(error, what, "'mote doctor' lists what this host offers");
  }
}

}  // namespace mote::kvm
