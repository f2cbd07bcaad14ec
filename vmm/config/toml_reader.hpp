// SPDX-License-Identifier: Apache-2.0
// VmConfig from TOML. The only place that knows the TOML library and the names of the keys.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// A key that the reader knows: "vcpus" in table "machine".
struct TomlKey {
  std::string_view table;
  std::string_view key;
};

/// Every known key (docs/configuration.md describes each).
std::span<const TomlKey> toml_keys();

/// Reads `text`; `file_name` is for the messages, and relative paths in the text are relative to
/// its directory. Keys that are absent keep their defaults. What is not understood is refused: the
/// Error has one line per problem, as "FILE:LINE:COLUMN: problem", in the order of the file.
/// Ranges and what keys demand of each other are for `validate`.
Result<VmConfig> read_toml(std::string_view text, std::string_view file_name);

/// `read_toml` of the file `path`. Binary files and files above 1 MiB are refused.
Result<VmConfig> read_toml_file(const std::string& path);

}  // namespace mote
