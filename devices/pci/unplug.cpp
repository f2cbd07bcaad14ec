// SPDX-License-Identifier: Apache-2.0
#include "devices/pci/unplug.hpp"

namespace mote::pci {
namespace {

constexpr u64 kAsked = 0;
constexpr u64 kEjected = 4;

}  // namespace

void UnplugPorts::ask(u32 device) {
  asked_.fetch_or(1u << device);
  line_.pulse();
}

void UnplugPorts::read(u64 offset, std::span<std::byte> data) {
  fill_ones(data);
  if (offset == kAsked && data.size() == 4) store_le(data, asked_.load());
}

void UnplugPorts::write(u64 offset, std::span<const std::byte> data) {
  if (data.size() != 4) return;
  const auto devices = static_cast<u32>(load_le(data));
  if (offset == kAsked) asked_.fetch_and(~devices);
  if (offset == kEjected) sink_.eject(devices);
}

}  // namespace mote::pci
