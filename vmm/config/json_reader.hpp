// SPDX-License-Identifier: Apache-2.0
// VmConfig from the JSON file that Firecracker's --config-file takes: the sibling of toml_reader.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "vmm/config/resources.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// What such a file holds.
struct JsonConfig {
  VmConfig vm;
  std::optional<LoggerConfig> logger;
  std::optional<MetricsConfig> metrics;
};

/// Reads `text`; `file_name` is for the messages. Paths are as they are. Top-level keys that nobody
/// knows are ignored, as Firecracker does; those of devices that Mote does not have are refused
/// unless null.
Result<JsonConfig> read_json(std::string_view text, std::string_view file_name);

/// `read_json` of the file `path`. Files above 1 MiB are refused.
Result<JsonConfig> read_json_file(const std::string& path);

}  // namespace mote
