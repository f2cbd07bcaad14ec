// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "cli/doctor/examine.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace mote {
namespace {

constexpr char kMemory[] = "memory";
constexpr char kDevices[] = "devices";
constexpr char kConfinement[] = "confinement";

/// The start of a small file without its line break; empty when it cannot be read.
std::string read_line(const char* path) {
  const auto file = open_file(path, O_RDONLY);
  if (!file) return {};
  char text[256];
  const ssize_t size = ::read(file->get(), text, sizeof(text));
  if (size <= 0) return {};
  const std::string_view all(text, static_cast<std::size_t>(size));
  return std::string(all.substr(0, all.find('\n')));
}

/// Entries of a directory; -1 when it cannot be read.
int count_entries(const char* path) {
  DIR* directory = ::opendir(path);
  if (directory == nullptr) return -1;
  int count = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(directory);
  return count;
}

Finding huge_pages() {
  constexpr char kPool[] = "/sys/kernel/mm/hugepages/hugepages-2048kB";
  Finding finding{kMemory, "2 MiB pages", Mark::kMissing, "this kernel has no pool of them", {}};
  const std::string total = read_line((std::string(kPool) + "/nr_hugepages").c_str());
  if (total.empty()) return finding;
  const std::string free = read_line((std::string(kPool) + "/free_hugepages").c_str());
  finding.detail = "for huge_pages: " + free + " of " + total + " free";
  if (std::atoi(free.c_str()) > 0) {
    finding.mark = Mark::kOk;
  } else {
    finding.remedy = "64 of them for a guest of 128 MiB: 'sysctl vm.nr_hugepages=64'";
  }
  return finding;
}

Finding transparent_huge_pages() {
  const std::string modes = read_line("/sys/kernel/mm/transparent_hugepage/enabled");
  Finding finding{kMemory, "transparent huge pages", Mark::kMissing, "this kernel has none", {}};
  const std::size_t open = modes.find('[');
  const std::size_t close = modes.find(']');
  if (open == std::string::npos || close == std::string::npos) return finding;
  const std::string mode = modes.substr(open + 1, close - open - 1);
  finding.detail = "mode " + mode;
  finding.mark = mode == "never" ? Mark::kMissing : Mark::kOk;
  if (mode == "never") {
    finding.remedy = "'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled'";
  }
  return finding;
}

Finding user_fault_fd() {
  Finding finding{kMemory, "userfaultfd", Mark::kOk, {}, {}};
  const UniqueFd by_call(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
  if (by_call) {
    finding.detail = "by the system call";
    return finding;
  }
  const int error = errno;
  const auto device = open_file("/dev/userfaultfd", O_RDWR);
  const UniqueFd by_device(device ? ::ioctl(device->get(), USERFAULTFD_IOC_NEW, O_CLOEXEC) : -1);
  if (by_device) {
    finding.detail = "by /dev/userfaultfd";
    return finding;
  }
  finding.mark = Mark::kMissing;
  finding.detail = Error::from_errno(error, "no lazy loading of memory").message();
  if (error == EPERM) {
    finding.remedy =
        "give the user access to /dev/userfaultfd, or 'sysctl "
        "vm.unprivileged_userfaultfd=1'";
  }
  return finding;
}

Finding iommu() {
  Finding finding{kDevices, "IOMMU groups", Mark::kOk, {}, {}};
  const int groups = count_entries("/sys/kernel/iommu_groups");
  finding.detail = format("%d", groups < 0 ? 0 : groups);
  if (groups <= 0) {
    finding.mark = Mark::kMissing;
    finding.detail += ": no device can be passed through";
    finding.remedy =
        "switch the IOMMU on in the firmware and with the kernel argument "
        "intel_iommu=on (AMD: on by itself)";
  }
  return finding;
}

Finding vfio() {
  Finding finding{kDevices, "VFIO", Mark::kMissing, "/dev/vfio/vfio does not exist",
                  "'modprobe vfio-pci'"};
  if (::access("/dev/vfio/vfio", F_OK) != 0) return finding;
  finding.mark = Mark::kOk;
  finding.remedy.clear();
  // Beside the container file `vfio` and the folder `devices`, every entry is a group.
  int groups = count_entries("/dev/vfio") - 1;
  if (::access("/dev/vfio/devices", F_OK) == 0) --groups;
  finding.detail = format("groups bound to it: %d", groups);
  return finding;
}

Finding cgroups() {
  Finding finding{kConfinement, "cgroups", Mark::kMissing, "none mounted", {}};
  if (::access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
    finding.mark = Mark::kOk;
    finding.detail = "version 2: " + read_line("/sys/fs/cgroup/cgroup.controllers");
  } else if (::access("/sys/fs/cgroup/memory", F_OK) == 0) {
    finding.mark = Mark::kOk;
    finding.detail = ::access("/sys/fs/cgroup/unified", F_OK) == 0
                         ? "version 1, with a version 2 tree beside it"
                         : "version 1";
  }
  return finding;
}

Finding landlock() {
  Finding finding{kConfinement, "Landlock", Mark::kOk, {}, {}};
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version > 0) {
    finding.detail = format("ABI version %ld", version);
    return finding;
  }
  finding.mark = Mark::kMissing;
  finding.detail = Error::from_errno(errno, "no file system rules without root").message();
  if (errno == EOPNOTSUPP) finding.remedy = "add landlock to the kernel argument lsm=";
  return finding;
}

Finding kernel() {
  utsname name{};
  ::uname(&name);
  return {"host",
          "kernel",
          Mark::kOk,
          format("%s %s %s", name.sysname, name.release, name.machine),
          {}};
}

}  // namespace

void examine_kernel(Diagnosis& diagnosis) {
  for (Finding (*const examine)() : {kernel, huge_pages, transparent_huge_pages, user_fault_fd}) {
    diagnosis.findings.push_back(examine());
  }
  examine_taps(diagnosis);
  for (Finding (*const examine)() : {iommu, vfio, cgroups, landlock}) {
    diagnosis.findings.push_back(examine());
  }
}

}  // namespace mote
