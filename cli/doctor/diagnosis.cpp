// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/diagnosis.hpp"

#include <algorithm>

#include "core/json/writer.hpp"
#include "core/text.hpp"

namespace mote {
namespace {

constexpr const char* kMarks[] = {"[ok]", "[--]", "[!!]"};
constexpr const char* kStatus[] = {"ok", "missing", "fatal"};

}  // namespace

bool Diagnosis::can_run() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.mark == Mark::kFatal; });
}

std::string diagnosis_table(const Diagnosis& diagnosis) {
  int width = 0;
  for (const Finding& finding : diagnosis.findings) {
    width = std::max(width, static_cast<int>(finding.name.size()));
  }
  std::string text;
  const std::string* group = nullptr;
  for (const Finding& finding : diagnosis.findings) {
    if (group == nullptr || *group != finding.group) {
      text += (group == nullptr ? "" : "\n") + finding.group + "\n";
      group = &finding.group;
    }
    text += format("  %s %-*s  %s\n", kMarks[static_cast<int>(finding.mark)], width,
                   finding.name.c_str(), finding.detail.c_str());
    if (!finding.remedy.empty()) {
      text += format("       %-*s  -> %s\n", width, "", finding.remedy.c_str());
    }
  }
  text += diagnosis.can_run() ? "\nMote can run here.\n"
                              : "\nMote cannot run here: see the lines with [!!].\n";
  return text;
}

std::string diagnosis_json(const Diagnosis& diagnosis) {
  std::string text = "{\"can_run\": ";
  text += diagnosis.can_run() ? "true" : "false";
  text += ", \"guest_ring0\": " + json::quoted(diagnosis.guest_ring0) + ", \"findings\": [";
  const char* separator = "\n";
  for (const Finding& finding : diagnosis.findings) {
    text += separator;
    text += "  {\"group\": " + json::quoted(finding.group) +
            ", \"name\": " + json::quoted(finding.name) + ", \"status\": \"" +
            kStatus[static_cast<int>(finding.mark)] +
            "\", \"detail\": " + json::quoted(finding.detail) +
            ", \"remedy\": " + json::quoted(finding.remedy) + "}";
    separator = ",\n";
  }
  return text + "\n]}\n";
}

}  // namespace mote
