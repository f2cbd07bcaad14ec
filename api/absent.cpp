// SPDX-License-Identifier: Apache-2.0
#include "api/absent.hpp"

namespace mote::api {
namespace {

struct Absent {
  std::string_view resource;
  std::string_view why;
};

constexpr Absent kAbsent[] = {
    {"vsock", "Mote has no vsock device: connect guest and host by a network interface."},
    {"balloon", "Mote has no balloon device."},
    {"entropy", "Mote has no entropy device: the guest's CPU has RDRAND."},
    {"pmem", "Mote has no pmem device: use a drive."},
    {"hotplug", "Mote plugs in no memory: start the microVM with what it needs."},
    {"mmds", "Mote has no metadata service: serve it at the other end of a network interface."},
};

}  // namespace

std::string_view why_absent(http::Method method, std::string_view resource) {
  for (const Absent& absent : kAbsent) {
    if (absent.resource == resource) return absent.why;
  }
  if (method == http::Method::kDelete &&
      (resource == "drives" || resource == "network-interfaces")) {
    return "Mote takes no device away from a guest.";
  }
  return {};
}

}  // namespace mote::api
