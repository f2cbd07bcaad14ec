// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/way.hpp"

#include <algorithm>

namespace mote::vfio {

Way way_to(const HostFunction& function, const HostFacts& facts) {
  const NodeAccess iommufd = std::min(facts.iommufd_node, function.device_node);
  if (iommufd == NodeAccess::kOpens) return Way::kIommufd;
  const bool by_container = facts.has_container && function.group_node == NodeAccess::kOpens;
  return iommufd == NodeAccess::kNone || by_container ? Way::kContainer : Way::kIommufd;
}

Way way_to_all(std::span<const HostFunction> functions, const HostFacts& facts) {
  const bool is_iommufd = std::all_of(
      functions.begin(), functions.end(),
      [&](const HostFunction& function) { return way_to(function, facts) == Way::kIommufd; });
  return is_iommufd ? Way::kIommufd : Way::kContainer;
}

const char* way_name(Way way) {
  return way == Way::kIommufd ? "iommufd" : "container";
}

}  // namespace mote::vfio
