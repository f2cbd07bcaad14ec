// SPDX-License-Identifier: Apache-2.0
#include "cli/serve/arguments.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/interface_name.hpp"
#include "vmm/config/resources.hpp"
#include "vmm/config/toml_reader.hpp"
#include "vmm/config/validate.hpp"

namespace mote {
namespace {

constexpr std::size_t kLongestId = 64;

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kLongestId && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

/// Without what stands for no step: "/a//b/./c/" is "/a/b/c". A step back is refused, as links may
/// lead it elsewhere.
Result<std::string> absolute(const std::string& path) {
  if (path.empty()) return Error::config("--dir: which folder? -- the one you are in is '.'");
  std::string whole = path;
  if (!path.starts_with('/')) {
    char here[PATH_MAX];
    if (::getcwd(here, sizeof(here)) == nullptr) {
      return Error::from_errno(errno, "cannot ask for the working directory");
    }
    whole = std::string(here) + "/" + path;
  }
  std::string result;
  for (std::size_t begin = 0; begin < whole.size();) {
    const std::size_t end = std::min(whole.find('/', begin), whole.size());
    const std::string part = whole.substr(begin, end - begin);
    if (part == "..") return Error::config("--dir " + path + ": name it without '..'");
    if (!part.empty() && part != ".") result += "/" + part;
    begin = end + 1;
  }
  if (result.empty()) {
    return Error::config("--dir " + path +
                         ": all of the host -- name a folder, or do without: --no-sandbox");
  }
  return result;
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

/// The folders in an order in which none lies below an earlier one; those that lie below another
/// are seen with it.
std::vector<std::string> outermost(std::vector<std::string> folders) {
  std::sort(folders.begin(), folders.end());
  std::vector<std::string> result;
  for (std::string& folder : folders) {
    if (result.empty() || !is_below(folder, result.back())) result.push_back(std::move(folder));
  }
  return result;
}

Result<void> take_config(const CommandLine& line, ServeOptions& options) {
  const std::string* const path = line.argument("config-file");
  if (path != nullptr) {
    options.starts = true;
    if (path->ends_with(".toml")) {
      options.config.vm = TRY(read_toml_file(*path));
    } else {
      options.config = TRY(read_json_file(*path));
    }
  }
  TRY(apply_settings(line, options.config.vm));
  if (options.starts) TRY(validate(options.config.vm));
  return {};
}

Result<void> take_log(const CommandLine& line, ServeOptions& options) {
  if (const std::string* const format = line.argument("log-format")) {
    if (*format == "json") {
      options.log_format = LogFormat::kJson;
    } else if (*format == "firecracker") {
      options.log_format = LogFormat::kFirecracker;
    } else if (*format != "plain") {
      return Error::config("--log-format " + *format + ": choose plain, firecracker or json");
    }
  }
  if (const std::string* const level = line.argument("log-level")) {
    options.log_level = parse_log_level(*level);
    if (!options.log_level) {
      return Error::config("--log-level " + *level + ": choose off, error, warning, info or debug");
    }
  }
  if (const std::string* const path = line.argument("log-path")) {
    options.config.logger.emplace().path = *path;
    options.config.logger->level = options.log_level;
  }
  if (const std::string* const path = line.argument("metrics-path")) {
    options.config.metrics.emplace().path = *path;
  }
  return {};
}

Result<void> take_shares(const CommandLine& line, ServeOptions& options) {
  for (const CommandLine::Setting& setting : line.settings) {
    if (setting.option->name == "dir") {
      options.folders.push_back(TRY(absolute(setting.argument)));
    } else if (setting.option->name == "tap") {
      const auto name = check_interface_name(setting.argument);
      if (!name) return Error(name.error()).within("--tap");
      options.taps.push_back(setting.argument);
    }
  }
  options.folders = outermost(std::move(options.folders));
  return {};
}

}  // namespace

Result<void> take_names(const CommandLine& line, ServeOptions& options) {
  const std::string* const socket = line.argument("api-sock");
  const bool no_api = line.has("no-api");
  if (no_api && socket != nullptr) {
    return Error::config("--api-sock and --no-api exclude each other");
  }
  if (no_api && !line.has("config-file")) {
    return Error::config("--no-api leaves --config-file as the only way to say what to start");
  }
  if (socket != nullptr) options.socket = *socket;
  if (const std::string* const id = line.argument("id")) {
    if (!is_id(*id)) {
      return Error::config("--id '" + *id + "': an id has 1 to 64 letters, digits and '-'");
    }
    options.id = *id;
  }
  return {};
}

Result<ServeOptions> serve_arguments(const CommandLine& line) {
  if (!line.operands.empty()) {
    return Error::config("'mote serve' takes no argument '" + line.operands[0] +
                         "' -- a VM that is to be started at once is named by --config-file");
  }
  ServeOptions options;
  TRY(take_names(line, options));
  if (options.socket.empty() && !line.has("no-api")) {
    return Error::config("where is the API to be served? -- --api-sock PATH");
  }
  TRY(take_config(line, options));
  TRY(take_log(line, options));
  TRY(take_shares(line, options));
  return options;
}

}  // namespace mote
