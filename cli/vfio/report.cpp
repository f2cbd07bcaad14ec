// SPDX-License-Identifier: Apache-2.0
#include "cli/vfio/report.hpp"

#include "core/json/writer.hpp"
#include "core/text.hpp"
#include "devices/vfio/obstacles.hpp"
#include "devices/vfio/way.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {
namespace {

using vfio::HostFunction;
using vfio::Obstacle;

/// By which interface of the kernel a function would be taken; empty for one that vfio-pci does not
/// have, since who knows how it will be then.
std::string way_of(const HostFunction& function, const vfio::HostFacts& facts) {
  if (!vfio::is_vfio_driver(function.driver)) return {};
  return vfio::way_name(vfio::way_to(function, facts));
}

std::string function_line(const HostFunction& function, const vfio::HostFacts& facts,
                          bool passable) {
  std::string text =
      format("%s %s  %04x:%04x  class %06x  group %-4s  %s", passable ? "[ok]" : "[--]",
             print_pci_address(function.address).c_str(), function.vendor, function.device,
             function.class_code, function.group ? std::to_string(*function.group).c_str() : "none",
             function.driver.empty() ? "no driver" : function.driver.c_str());
  if (const std::string way = way_of(function, facts); !way.empty()) text += " by " + way;
  if (function.physical) text += ", a virtual one of " + print_pci_address(*function.physical);
  if (function.virtual_limit.value_or(0) != 0) {
    text +=
        format(", %zu of %u virtual ones made", function.virtuals.size(), *function.virtual_limit);
  }
  return text + "\n";
}

void write_optional(json::Writer& out, std::string_view key, const std::optional<u32>& number) {
  out.key(key);
  if (number) {
    out.number(*number);
  } else {
    out.null();
  }
}

void write_optional(json::Writer& out, std::string_view key, const std::string& text) {
  out.key(key);
  if (text.empty()) {
    out.null();
  } else {
    out.string(text);
  }
}

void write_function(json::Writer& out, const HostFunction& function, const vfio::HostFacts& facts,
                    std::span<const Obstacle> found) {
  out.begin_object().key("address").string(print_pci_address(function.address));
  out.key("vendor").string(format("%04x", function.vendor));
  out.key("device").string(format("%04x", function.device));
  out.key("class").string(format("%06x", function.class_code));
  write_optional(out, "driver", function.driver);
  write_optional(out, "interface", way_of(function, facts));
  write_optional(out, "iommu_group", function.group);
  write_optional(out, "physical_function",
                 function.physical ? print_pci_address(*function.physical) : std::string());
  out.key("virtual_functions").begin_array();
  for (const PciAddress& address : function.virtuals) out.string(print_pci_address(address));
  out.end_array();
  out.key("virtual_functions_limit").number(function.virtual_limit.value_or(0));
  out.key("passable").boolean(found.empty());
  out.key("obstacles").begin_array();
  for (const Obstacle& obstacle : found) {
    out.begin_object().key("problem").string(obstacle.problem);
    out.key("remedy").string(obstacle.remedy).end_object();
  }
  out.end_array().end_object();
}

std::vector<Obstacle> obstacles_of(const HostFunction& function,
                                   std::span<const HostFunction> functions,
                                   const vfio::HostFacts& facts) {
  return vfio::obstacles(function, functions, facts, vfio::way_to(function, facts),
                         MachineConfig{}.memory_bytes);
}

}  // namespace

std::string vfio_table(std::span<const HostFunction> functions, const vfio::HostFacts& facts) {
  std::string text;
  for (const HostFunction& function : functions) {
    if (vfio::is_bridge(function)) continue;
    const auto found = obstacles_of(function, functions, facts);
    text += function_line(function, facts, found.empty());
    for (const Obstacle& obstacle : found) {
      text += "       " + obstacle.problem + "\n";
      if (!obstacle.remedy.empty()) text += "       -> " + obstacle.remedy + "\n";
    }
  }
  return text.empty() ? "No PCI functions but bridges.\n" : text;
}

std::string vfio_json(std::span<const HostFunction> functions, const vfio::HostFacts& facts) {
  json::Writer out;
  out.begin_object().key("functions").begin_array();
  for (const HostFunction& function : functions) {
    write_function(out, function, facts, obstacles_of(function, functions, facts));
  }
  out.end_array().end_object();
  return out.take() + "\n";
}

}  // namespace mote
