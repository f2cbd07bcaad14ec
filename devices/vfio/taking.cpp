// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/taking.hpp"

#include "core/text.hpp"
#include "devices/vfio/container.hpp"
#include "devices/vfio/iommufd.hpp"
#include "devices/vfio/obstacles.hpp"
#include "devices/vfio/way.hpp"

namespace mote::vfio {
namespace {

/// What is in the way of any of `functions`, in words, as an Error; nothing when nothing is. Of
/// interrupts and of memory that may be locked the kernel knows better than we do, and says so
/// later.
Result<void> check_obstacles(const HostFunctions& host, std::span<const HostFunction> functions,
                             HostFacts facts, Way way) {
  const auto all = TRY(host.list());
  facts.remaps_interrupts = true;
  facts.lock_limit.reset();
  for (const HostFunction& function : functions) {
    const auto found = obstacles(function, all, facts, way, 0);
    if (found.empty()) continue;
    std::string text =
        "cannot pass " + print_pci_address(function.address) + ": " + found[0].problem;
    if (!found[0].remedy.empty()) text += " -- " + found[0].remedy;
    if (found.size() > 1) text += format("; %zu more: 'mote vfio list'", found.size() - 1);
    return Error::host(text);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<AddressSpace>> open_address_space(const HostFunctions& host,
                                                         std::span<const PciAddress> addresses) {
  std::vector<HostFunction> functions;
  functions.reserve(addresses.size());
  for (const PciAddress& address : addresses) functions.push_back(TRY(host.look_at(address)));
  const HostFacts facts = host.facts();
  const Way way = way_to_all(functions, facts);
  TRY(check_obstacles(host, functions, facts, way));
  auto space = TRY(way == Way::kIommufd ? Iommufd::open() : Container::open());
  for (const HostFunction& function : functions) {
    if (!space->has(function.address)) TRY(space->join(function));
  }
  return space;
}

Result<std::unique_ptr<AddressSpace>> adopt_address_space(UniqueFd fd) {
  if (auto container = Container::adopt(fd)) return container;
  if (auto space = Iommufd::adopt(std::move(fd))) return space;
  return Error::host(
      "the descriptor is neither of /dev/iommu nor of /dev/vfio/vfio with an IOMMU of type 1");
}

Result<void> join(const HostFunctions& host, AddressSpace& space, const PciAddress& address) {
  const HostFunction function = TRY(host.look_at(address));
  TRY(check_obstacles(host, std::span(&function, 1), host.facts(), space.way()));
  return space.join(function);
}

}  // namespace mote::vfio
