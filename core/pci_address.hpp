// SPDX-License-Identifier: Apache-2.0
// Addresses of PCI functions of the host: how people and sysfs write them. Pure.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Ordered as `lspci` lists them.
struct PciAddress {
  u32 domain = 0;
  u8 bus = 0;
  u8 device = 0;    ///< 0 to 31
  u8 function = 0;  ///< 0 to 7
  constexpr auto operator<=>(const PciAddress&) const = default;
};

/// Reads "0000:01:10.0", hexadecimal, or the same without the domain. The Error says what was
/// expected and quotes `text`.
Result<PciAddress> parse_pci_address(std::string_view text);
/// The long form, in small letters: a name in sysfs.
std::string print_pci_address(const PciAddress& address);

}  // namespace mote
