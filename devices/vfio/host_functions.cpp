// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/host_functions.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "core/fd.hpp"
#include "core/text.hpp"

namespace mote::vfio {
namespace {

constexpr char kDevices[] = "/sys/bus/pci/devices";
constexpr char kDriver[] = "/sys/bus/pci/drivers/vfio-pci";
constexpr char kProbe[] = "/sys/bus/pci/drivers_probe";
constexpr char kInterrupts[] = "/proc/interrupts";
/// Of the modules, by Way, that may be told to do without remapping.
constexpr const char* kUnsafe[] = {
    "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
    "/sys/module/iommufd/parameters/allow_unsafe_interrupts",
};

std::string read_all(const std::string& path) {
  std::string text;
  const auto file = open_file(path, O_RDONLY);
  if (!file) return text;
  char part[4096];
  for (ssize_t size; (size = ::read(file->get(), part, sizeof(part))) > 0;) {
    text.append(part, static_cast<std::size_t>(size));
  }
  return text;
}

/// As the kernel writes them: 0x in front, or decimal.
std::optional<u32> read_number(const std::string& path) {
  const std::string text = read_all(path);
  char* end = nullptr;
  const unsigned long number = std::strtoul(text.c_str(), &end, 0);
  if (end == text.c_str() || number > ~u32{0}) return std::nullopt;
  return static_cast<u32>(number);
}

/// The last name of what a link leads to; empty when there is no link.
std::string link_name(const std::string& path) {
  char target[4096];
  const ssize_t size = ::readlink(path.c_str(), target, sizeof(target));
  if (size <= 0) return {};
  const std::string_view whole(target, static_cast<std::size_t>(size));
  return std::string(whole.substr(whole.rfind('/') + 1));
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (directory == nullptr) return names;
  while (const dirent* const entry = ::readdir(directory.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

bool exists(const std::string& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_EACCESS) == 0;
}

NodeAccess access_to(const std::string& path) {
  if (!exists(path)) return NodeAccess::kNone;
  const bool opens = ::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) == 0;
  return opens ? NodeAccess::kOpens : NodeAccess::kDenied;
}

bool may_lock_all() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  return ::syscall(SYS_capget, &header, data) == 0 &&
         (data[0].effective & (1u << CAP_IPC_LOCK)) != 0;
}

std::optional<u64> lock_limit() {
  rlimit limit{};
  if (may_lock_all() || ::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY) {
    return std::nullopt;
  }
  return limit.rlim_cur;
}

}  // namespace

std::string container_path() {
  return "/dev/vfio/vfio";
}

std::string group_path(u32 group) {
  return format("/dev/vfio/%u", group);
}

std::string iommufd_path() {
  return "/dev/iommu";
}

std::string device_path(const std::string& device_file) {
  return "/dev/vfio/devices/" + device_file;
}

bool is_vfio_driver(const std::string& driver) {
  return driver.ends_with("vfio-pci") || driver.ends_with("vfio_pci");
}

std::string HostFunctions::folder(const PciAddress& address) const {
  return root_ + kDevices + "/" + print_pci_address(address);
}

HostFacts HostFunctions::facts() const {
  HostFacts facts;
  facts.has_driver = exists(root_ + kDriver);
  facts.has_container = exists(root_ + container_path());
  facts.iommufd_node = access_to(root_ + iommufd_path());
  // Interrupts that are remapped are served by chips of names like IR-PCI-MSI.
  facts.remaps_interrupts = read_all(root_ + kInterrupts).find(" IR-") != std::string::npos;
  for (const Way way : {Way::kContainer, Way::kIommufd}) {
    const auto index = static_cast<std::size_t>(way);
    facts.unsafe_interrupts[index] = read_all(root_ + kUnsafe[index]).starts_with('Y');
  }
  facts.lock_limit = lock_limit();
  return facts;
}

Result<HostFunction> HostFunctions::look_at(const PciAddress& address) const {
  const std::string path = folder(address);
  if (!exists(path)) {
    return Error::host("there is no PCI function " + print_pci_address(address) +
                       " -- 'mote vfio list' lists those that there are");
  }
  HostFunction function{.address = address};
  function.vendor = static_cast<u16>(read_number(path + "/vendor").value_or(0));
  function.device = static_cast<u16>(read_number(path + "/device").value_or(0));
  function.class_code = read_number(path + "/class").value_or(0);
  function.driver = link_name(path + "/driver");
  if (const std::string group = link_name(path + "/iommu_group"); !group.empty()) {
    function.group = static_cast<u32>(std::strtoul(group.c_str(), nullptr, 10));
    function.group_node = access_to(root_ + group_path(*function.group));
  }
  for (const std::string& name : names_in(path + "/vfio-dev")) {
    function.device_file = name;
    function.device_node = access_to(root_ + device_path(name));
  }
  if (const auto physical = parse_pci_address(link_name(path + "/physfn"))) {
    function.physical = *physical;
  }
  function.virtual_limit = read_number(path + "/sriov_totalvfs");
  for (const std::string& name : names_in(path)) {
    if (!name.starts_with("virtfn")) continue;
    const std::string link = format("%s/%s", path.c_str(), name.c_str());
    if (const auto virtual_one = parse_pci_address(link_name(link))) {
      function.virtuals.push_back(*virtual_one);
    }
  }
  std::sort(function.virtuals.begin(), function.virtuals.end());
  return function;
}

Result<std::vector<HostFunction>> HostFunctions::list() const {
  if (!exists(root_ + kDevices)) {
    return Error::host(std::string("this host has no PCI: there is no ") + kDevices);
  }
  std::vector<HostFunction> functions;
  for (const std::string& name : names_in(root_ + kDevices)) {
    const auto address = parse_pci_address(name);
    if (!address) continue;
    // One that has gone meanwhile is none of the list.
    if (auto function = look_at(*address)) functions.push_back(*std::move(function));
  }
  std::sort(functions.begin(), functions.end(),
            [](const HostFunction& a, const HostFunction& b) { return a.address < b.address; });
  return functions;
}

Result<void> HostFunctions::write_file(const std::string& path, const std::string& text) {
  const char* const remedy =
      ::geteuid() == 0 ? "the kernel's log (dmesg) may say more" : "this takes root: use sudo";
  const UniqueFd file = TRY(open_file(path, O_WRONLY, remedy));
  if (::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  const int error = errno;
  const std::string shown = text == "\n" ? "nothing" : "'" + text + "'";
  return Error::from_errno(error, "cannot write " + shown + " to " + path, remedy);
}

Result<void> HostFunctions::set_virtuals(const PciAddress& physical, u32 count) const {
  return write(folder(physical) + "/sriov_numvfs", std::to_string(count));
}

Result<void> HostFunctions::probe(const PciAddress& address) const {
  return write(root_ + kProbe, print_pci_address(address));
}

Result<void> HostFunctions::bind(const PciAddress& address) const {
  const std::string path = folder(address);
  TRY(write(path + "/driver_override", "vfio-pci"));
  const bool had_driver = exists(path + "/driver");
  auto bound =
      had_driver ? write(path + "/driver/unbind", print_pci_address(address)) : Result<void>();
  if (bound) bound = probe(address);
  if (bound) return bound;
  // As well as it goes: the first failure is the one to tell.
  static_cast<void>(write(path + "/driver_override", "\n").has_value());
  static_cast<void>(probe(address).has_value());
  return bound;
}

Result<void> HostFunctions::release(const PciAddress& address) const {
  const std::string path = folder(address);
  TRY(write(path + "/driver_override", "\n"));
  if (exists(path + "/driver")) TRY(write(path + "/driver/unbind", print_pci_address(address)));
  return probe(address);
}

}  // namespace mote::vfio
