// SPDX-License-Identifier: Apache-2.0
#include "cli/vfio/vfio.hpp"

#include <algorithm>
#include <charconv>

#include "cli/vfio/report.hpp"
#include "core/text.hpp"
#include "devices/vfio/obstacles.hpp"
#include "vmm/config/nearest.hpp"

namespace mote {
namespace {

using vfio::HostFunction;
using vfio::HostFunctions;

constexpr std::string_view kVerbs[] = {"list", "prepare", "release"};

Result<std::string> list(const HostFunctions& host, bool as_json) {
  const auto functions = TRY(host.list());
  const vfio::HostFacts facts = host.facts();
  return as_json ? vfio_json(functions, facts) : vfio_table(functions, facts);
}

Result<u32> parse_count(const std::string& text) {
  u32 count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || rest != end || count == 0) {
    return Error::config("'" + text + "' is no number of virtual functions -- choose 1 or more");
  }
  return count;
}

std::string virtuals_line(const HostFunction& physical) {
  std::string text =
      format("%s has %zu virtual functions:", print_pci_address(physical.address).c_str(),
             physical.virtuals.size());
  for (const PciAddress& address : physical.virtuals) text += " " + print_pci_address(address);
  return text + "\n";
}

Result<std::string> make_virtuals(const HostFunctions& host, const PciAddress& address, u32 count) {
  const std::string name = print_pci_address(address);
  HostFunction physical = TRY(host.look_at(address));
  if (physical.virtual_limit.value_or(0) == 0) {
    return Error::host(name +
                       " can have no virtual functions: it is no physical function with "
                       "SR-IOV, or the host's firmware has switched that off");
  }
  if (count > *physical.virtual_limit) {
    return Error::host(format("%s can have %u virtual functions at the most", name.c_str(),
                              *physical.virtual_limit));
  }
  if (!physical.virtuals.empty() && physical.virtuals.size() != count) {
    return Error::host(
        format("%s has %zu virtual functions already, and their number can only be "
               "changed when there are none -- 'sudo mote vfio release %s' takes "
               "them away",
               name.c_str(), physical.virtuals.size(), name.c_str()));
  }
  if (physical.virtuals.empty()) {
    if (physical.driver.empty()) {
      return Error::host(name + " has no driver, which is what makes virtual functions");
    }
    TRY(host.set_virtuals(address, count));
    physical = TRY(host.look_at(address));
  }
  return virtuals_line(physical);
}

Result<std::string> bind(const HostFunctions& host, const PciAddress& address) {
  const std::string name = print_pci_address(address);
  HostFunction function = TRY(host.look_at(address));
  if (!vfio::is_vfio_driver(function.driver)) {
    // What binding mends is no reason against it, nor what is only mended behind it.
    for (const vfio::Obstacle& obstacle : vfio::obstacles_to_bind(function, host.facts())) {
      return Error::host(format("cannot give %s to vfio-pci: %s%s%s", name.c_str(),
                                obstacle.problem.c_str(), obstacle.remedy.empty() ? "" : " -- ",
                                obstacle.remedy.c_str()));
    }
    TRY(host.bind(address));
    function = TRY(host.look_at(address));
  }
  if (!vfio::is_vfio_driver(function.driver)) {
    TRY(host.release(address));
    return Error::host("vfio-pci did not take " + name +
                       " -- the kernel's log (dmesg) says why; the host's driver has it again");
  }
  return name + format(" is with %s, in IOMMU group %u\n", function.driver.c_str(),
                       function.group.value_or(0));
}

Result<std::string> prepare(const CommandLine& line, const HostFunctions& host) {
  const std::string* const physical = line.argument("pf");
  const std::string* const count = line.argument("vfs");
  if ((physical == nullptr) != (count == nullptr)) {
    return Error::config("--pf and --vfs go together -- --pf ADDR --vfs N");
  }
  if (physical == nullptr && !line.has("bind")) {
    return Error::config("there is nothing to prepare -- --pf ADDR --vfs N or --bind ADDR");
  }
  std::string text;
  if (physical != nullptr) {
    const PciAddress address = TRY(parse_pci_address(*physical));
    text += TRY(make_virtuals(host, address, TRY(parse_count(*count))));
  }
  for (const CommandLine::Setting& setting : line.settings) {
    if (setting.option->name != "bind") continue;
    text += TRY(bind(host, TRY(parse_pci_address(setting.argument))));
  }
  return text;
}

Result<std::string> remove_virtuals(const HostFunctions& host, const HostFunction& physical) {
  for (const PciAddress& address : physical.virtuals) {
    const HostFunction function = TRY(host.look_at(address));
    if (!vfio::is_vfio_driver(function.driver)) continue;
    const std::string name = print_pci_address(address);
    return Error::host(
        format("%s is with %s and may be a guest's -- 'sudo mote vfio release %s' first",
               name.c_str(), function.driver.c_str(), name.c_str()));
  }
  TRY(host.set_virtuals(physical.address, 0));
  return print_pci_address(physical.address) + " has no virtual functions any more\n";
}

Result<std::string> release(const HostFunctions& host, const PciAddress& address) {
  const std::string name = print_pci_address(address);
  HostFunction function = TRY(host.look_at(address));
  const bool is_ours = vfio::is_vfio_driver(function.driver);
  if (!function.virtuals.empty() && !is_ours) return remove_virtuals(host, function);
  if (!is_ours) return name + " is not with vfio-pci: nothing to do\n";
  TRY(host.release(address));
  function = TRY(host.look_at(address));
  return name +
         (function.driver.empty() ? " has no driver\n" : " is with " + function.driver + "\n");
}

}  // namespace

Result<std::string> vfio_command(const CommandLine& line, const HostFunctions& host) {
  if (line.operands.empty()) {
    return Error::config("no verb given -- 'mote vfio --help' lists the verbs");
  }
  const std::string& verb = line.operands[0];
  const std::size_t wanted = verb == "release" ? 2 : 1;
  if (std::find(std::begin(kVerbs), std::end(kVerbs), verb) == std::end(kVerbs)) {
    return Error::config("unknown verb '" + verb + "'" + did_you_mean(verb, kVerbs) +
                         " -- 'mote vfio --help' lists the verbs");
  }
  if (line.operands.size() < wanted) {
    return Error::config("'mote vfio release' needs an address, as in 0000:01:10.0");
  }
  if (line.operands.size() > wanted) {
    return Error::config("'" + line.operands[wanted] + "' is one word too many for 'mote vfio " +
                         verb + "'");
  }
  for (const CommandLine::Setting& setting : line.settings) {
    const std::string_view home = setting.option->name == "json" ? "list" : "prepare";
    if (verb != home) {
      return Error::config("'mote vfio " + verb + "' takes no option --" +
                           std::string(setting.option->name));
    }
  }
  if (verb == "list") return list(host, line.has("json"));
  if (verb == "prepare") return prepare(line, host);
  return release(host, TRY(parse_pci_address(line.operands[1])));
}

}  // namespace mote
