// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "cli/doctor/examine.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace mote {
namespace {

constexpr char kGroup[] = "devices";
constexpr char kDevice[] = "/dev/net/tun";

// Of Linux 6.2; older headers lack them.
constexpr unsigned long kLargeUdp = 0x20 | 0x40;
constexpr unsigned long kOtherOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

/// What a tap in a network of our own let us set.
enum class Offloads : u8 { kUnknown, kNone, kTcp, kTcpAndUdp };

Offloads try_offloads() {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return Offloads::kUnknown;
  const int fd = ::open(kDevice, O_RDWR | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (fd < 0 || ::ioctl(fd, TUNSETIFF, &request) != 0) return Offloads::kUnknown;
  if (::ioctl(fd, TUNSETOFFLOAD, kOtherOffloads | kLargeUdp) == 0) return Offloads::kTcpAndUdp;
  return ::ioctl(fd, TUNSETOFFLOAD, kOtherOffloads) == 0 ? Offloads::kTcp : Offloads::kNone;
}

/// In a process of its own, so that neither namespaces nor the tap are left.
Offloads probe_offloads() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(static_cast<int>(try_offloads()));
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    return Offloads::kUnknown;
  }
  return static_cast<Offloads>(WEXITSTATUS(status));
}

Finding device_finding(const Result<UniqueFd>& device) {
  Finding finding{kGroup, "tap", Mark::kOk, std::string(kDevice) + " opens", {}};
  if (device) return finding;
  finding.mark = Mark::kMissing;
  finding.detail = "no network devices: " + device.error().message();
  const int error = device.error().errno_value();
  finding.remedy = error == EACCES || error == EPERM
                       ? "let the user open /dev/net/tun; a container needs --device /dev/net/tun"
                       : "'modprobe tun'; a container needs --device /dev/net/tun";
  return finding;
}

Finding queues_finding(const UniqueFd& device) {
  Finding finding{kGroup, "tap queues", Mark::kMissing, "one per tap", {}};
  unsigned features = 0;
  if (::ioctl(device.get(), TUNGETFEATURES, &features) == 0 && (features & IFF_MULTI_QUEUE) != 0) {
    finding.mark = Mark::kOk;
    finding.detail = "several per tap that is made with multi_queue";
  }
  return finding;
}

Finding offloads_finding() {
  Finding finding{kGroup, "tap offloads", Mark::kOk, {}, {}};
  switch (probe_offloads()) {
    case Offloads::kTcpAndUdp:
      finding.detail = "checksums, large TCP and UDP frames";
      return finding;
    case Offloads::kTcp:
      finding.detail = "checksums and large TCP frames; no large UDP frames (USO)";
      finding.remedy = "USO takes Linux 6.2 or newer";
      break;
    case Offloads::kNone:
      finding.detail = "none: frames are small and slow";
      break;
    case Offloads::kUnknown:
      finding.detail = "unknown: no tap could be tried in a network of its own";
      break;
  }
  finding.mark = Mark::kMissing;
  return finding;
}

Finding rights_finding() {
  Finding finding{kGroup, "new taps", Mark::kOk, "this user may make them", {}};
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) == 0 &&
      (data[0].effective & (1u << CAP_NET_ADMIN)) != 0) {
    return finding;
  }
  finding.mark = Mark::kMissing;
  finding.detail = "this user may not make them, but use those that it owns";
  finding.remedy =
      format("make one for it: 'sudo rootfs-tools/net-setup up --owner %u'", ::geteuid());
  return finding;
}

}  // namespace

void examine_taps(Diagnosis& diagnosis) {
  const auto device = open_file(kDevice, O_RDWR);
  diagnosis.findings.push_back(device_finding(device));
  if (!device) return;
  diagnosis.findings.push_back(queues_finding(*device));
  diagnosis.findings.push_back(offloads_finding());
  diagnosis.findings.push_back(rights_finding());
}

}  // namespace mote
