// SPDX-License-Identifier: Apache-2.0
#include "jail/credentials.hpp"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/text.hpp"

namespace mote::jail {
namespace {

constexpr int kMostCapabilities = 64;

Error cannot_become(const Identity& identity) {
  return Error::from_errno(
      errno, format("cannot make the VM's process user %u, group %u", identity.uid, identity.gid),
      "name a user that this user namespace has (/proc/self/uid_map): --uid, --gid");
}

}  // namespace

Result<void> bound_capabilities() {
  for (int capability = 0; capability < kMostCapabilities; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) break;  // the kernel knows no more
    return Error::from_errno(errno, "cannot bound the VM's capabilities");
  }
  constexpr unsigned long kBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
                                  SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (::prctl(PR_SET_SECUREBITS, kBits, 0, 0, 0) == 0) return {};
  return Error::from_errno(errno, "cannot lock the VM's securebits");
}

// WHY system calls and not the library's functions: those would change every thread at once, by
// signals, while each thread here takes this step when it is ready for it.
Result<void> drop_privileges(const std::optional<Identity>& identity, u64 kept) {
  if (identity) {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
        ::syscall(SYS_setresgid, identity->gid, identity->gid, identity->gid) != 0 ||
        ::syscall(SYS_setresuid, identity->uid, identity->uid, identity->uid) != 0) {
      return cannot_become(*identity);
    }
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const u32 low = static_cast<u32>(kept);
  const u32 high = static_cast<u32>(kept >> 32);
  const __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{low, low, 0}, {high, high, 0}};
  if (::syscall(SYS_capset, &header, data) != 0) {
    return Error::from_errno(errno, "cannot give up capabilities");
  }
  return {};
}

}  // namespace mote::jail
