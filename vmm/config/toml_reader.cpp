// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/toml_reader.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "core/text.hpp"
#include "vmm/config/nearest.hpp"
#include "vmm/config/text_file.hpp"
#include "vmm/config/toml_library.hpp"
#include "vmm/config/toml_values.hpp"

namespace mote {
namespace {

using namespace toml_values;

constexpr std::size_t kMostProblems = 20;  // more are counted, but not listed
constexpr i64 kMostCount = std::numeric_limits<u32>::max();
constexpr std::string_view kBlock = "block";
constexpr std::string_view kNet = "net";
constexpr std::string_view kVfio = "vfio";

/// Where a value goes, and what turns a relative path into one that can be opened.
struct Target {
  VmConfig& config;
  BlockConfig* block;          // the one that is being read, or null
  NetConfig* net;              // likewise
  VfioConfig* vfio;            // likewise
  std::string_view directory;  // with its slash; empty: the current one
};

/// Takes a value over. Returns what is wrong with it ("must be ..."), or nothing.
using Setter = std::string (*)(const toml::node& value, const Target& target);

struct KnownKey : TomlKey {
  Setter set;
};

using Value = const toml::node&;
using To = const Target&;

constexpr KnownKey kKeys[] = {
    {{"kernel", "path"},
     [](Value v, To t) { return set_path(v, t.directory, t.config.kernel.path); }},
    {{"kernel", "initrd"},
     [](Value v, To t) { return set_path(v, t.directory, t.config.kernel.initrd); }},
    {{"kernel", "cmdline"}, [](Value v, To t) { return set_text(v, t.config.kernel.cmdline); }},
    {{"machine", "vcpus"},
     [](Value v, To t) { return set_number(v, 1, kMaxVcpus, t.config.machine.vcpus); }},
    {{"machine", "memory"},
     [](Value v, To t) { return set_memory(v, t.config.machine.memory_bytes); }},
    {{"machine", "huge_pages"},
     [](Value v, To t) { return set_flag(v, t.config.machine.huge_pages); }},
    {{"machine", "legacy"}, [](Value v, To t) { return set_flag(v, t.config.machine.legacy); }},
    {{"machine", "acpi"}, [](Value v, To t) { return set_flag(v, t.config.machine.acpi); }},
    {{"machine", "io_threads"},
     [](Value v, To t) { return set_number(v, 1, kMaxIoThreads, t.config.machine.io_threads); }},
    {{"machine", "poll_us"},
     [](Value v, To t) { return set_number(v, 0, kMaxPollUs, t.config.machine.poll_us); }},
    {{"machine", "registered_buffers"},
     [](Value v, To t) { return set_flag(v, t.config.machine.registered_buffers); }},
    {{"machine", "announce"},
     [](Value v, To t) { return set_announce(v, t.config.machine.announce); }},
    {{"machine", "transport"},
     [](Value v, To t) { return set_transport(v, t.config.machine.transport); }},
    {{"block", "id"}, [](Value v, To t) { return set_text(v, t.block->id); }},
    {{"block", "path"}, [](Value v, To t) { return set_path(v, t.directory, t.block->path); }},
    {{"block", "read_only"}, [](Value v, To t) { return set_flag(v, t.block->read_only); }},
    {{"block", "root"}, [](Value v, To t) { return set_flag(v, t.block->root); }},
    {{"block", "queues"},
     [](Value v, To t) { return set_number(v, 1, kMaxBlockQueues, t.block->queues); }},
    {{"block", "queue_size"},
     [](Value v, To t) {
       return set_number(v, kMinQueueSize, kMaxQueueSize, t.block->queue_size);
     }},
    {{"block", "cache"}, [](Value v, To t) { return set_cache(v, t.block->cache); }},
    {{"block", "transport"},
     [](Value v, To t) { return set_transport(v, t.block->transport.emplace()); }},
    {{"block", "bandwidth"}, [](Value v, To t) { return set_rate(v, true, t.block->bandwidth); }},
    {{"block", "operations"},
     [](Value v, To t) { return set_rate(v, false, t.block->operations); }},
    {{"net", "id"}, [](Value v, To t) { return set_text(v, t.net->id); }},
    {{"net", "tap"}, [](Value v, To t) { return set_text(v, t.net->tap); }},
    {{"net", "fds"}, [](Value v, To t) { return set_fds(v, t.net->fds); }},
    {{"net", "mac"}, [](Value v, To t) { return set_mac(v, t.net->mac); }},
    {{"net", "mtu"}, [](Value v, To t) { return set_number(v, kMinMtu, kMaxMtu, t.net->mtu); }},
    {{"net", "queues"},
     [](Value v, To t) { return set_number(v, 1, kMaxNetQueues, t.net->queues); }},
    {{"net", "queue_size"},
     [](Value v, To t) { return set_number(v, kMinQueueSize, kMaxQueueSize, t.net->queue_size); }},
    {{"net", "transport"},
     [](Value v, To t) { return set_transport(v, t.net->transport.emplace()); }},
    {{"net", "rx_bandwidth"}, [](Value v, To t) { return set_rate(v, true, t.net->rx_bandwidth); }},
    {{"net", "rx_frames"}, [](Value v, To t) { return set_rate(v, false, t.net->rx_frames); }},
    {{"net", "tx_bandwidth"}, [](Value v, To t) { return set_rate(v, true, t.net->tx_bandwidth); }},
    {{"net", "tx_frames"}, [](Value v, To t) { return set_rate(v, false, t.net->tx_frames); }},
    {{"vfio", "id"}, [](Value v, To t) { return set_text(v, t.vfio->id); }},
    {{"vfio", "address"}, [](Value v, To t) { return set_address(v, t.vfio->address); }},
    {{"serial", "mode"}, [](Value v, To t) { return set_mode(v, t.config.serial.mode); }},
    {{"serial", "path"},
     [](Value v, To t) { return set_path(v, t.directory, t.config.serial.path); }},
    {{"sandbox", "enabled"}, [](Value v, To t) { return set_flag(v, t.config.sandbox.enabled); }},
    {{"sandbox", "uid"},
     [](Value v, To t) {
       return set_number(v, kMinSandboxId, kMaxSandboxId, t.config.sandbox.uid.emplace());
     }},
    {{"sandbox", "gid"},
     [](Value v, To t) {
       return set_number(v, kMinSandboxId, kMaxSandboxId, t.config.sandbox.gid.emplace());
     }},
    {{"limits", "cpu"}, [](Value v, To t) { return set_cpus(v, t.config.limits.cpu); }},
    {{"limits", "cpu_weight"},
     [](Value v, To t) { return set_number(v, 1, kMaxCpuWeight, t.config.limits.cpu_weight); }},
    {{"limits", "memory"}, [](Value v, To t) { return set_size(v, t.config.limits.memory_bytes); }},
    {{"limits", "pids"},
     [](Value v, To t) { return set_number(v, 1, kMostCount, t.config.limits.pids); }},
    {{"limits", "read_bandwidth"},
     [](Value v, To t) { return set_size(v, t.config.limits.read_bandwidth); }},
    {{"limits", "write_bandwidth"},
     [](Value v, To t) { return set_size(v, t.config.limits.write_bandwidth); }},
    {{"limits", "read_operations"},
     [](Value v, To t) { return set_number(v, 1, kMostCount, t.config.limits.read_operations); }},
    {{"limits", "write_operations"},
     [](Value v, To t) { return set_number(v, 1, kMostCount, t.config.limits.write_operations); }},
    {{"limits", "parent"}, [](Value v, To t) { return set_text(v, t.config.limits.parent); }},
    {{"limits", "group"}, [](Value v, To t) { return set_text(v, t.config.limits.group); }},
    {{"timeline", "table"}, [](Value v, To t) { return set_flag(v, t.config.timeline.table); }},
    {{"timeline", "json"},
     [](Value v, To t) { return set_path(v, t.directory, t.config.timeline.json_path); }},
};

constexpr auto kTomlKeys = [] {
  std::array<TomlKey, std::size(kKeys)> keys;
  std::copy(std::begin(kKeys), std::end(kKeys), keys.begin());
  return keys;
}();

std::vector<std::string_view> table_names() {
  std::vector<std::string_view> names;
  for (const TomlKey& key : kTomlKeys) {
    if (names.empty() || names.back() != key.table) names.push_back(key.table);
  }
  return names;
}

const KnownKey* find_key(std::string_view table, std::string_view key) {
  for (const KnownKey& known : kKeys) {
    if (known.table == table && known.key == key) return &known;
  }
  return nullptr;
}

/// The known keys of a table.
std::vector<std::string_view> keys_of(std::string_view table) {
  std::vector<std::string_view> keys;
  for (const TomlKey& key : kTomlKeys) {
    if (key.table == table) keys.push_back(key.key);
  }
  return keys;
}

/// "; it belongs in [machine]" for a key in the wrong table, else the nearest key of the right one.
std::string key_hint(std::string_view table, std::string_view key) {
  std::string homes;
  for (const TomlKey& known : kTomlKeys) {
    if (known.key != key) continue;
    homes += (homes.empty() ? "; it belongs in [" : " or [") + std::string(known.table) + "]";
  }
  return homes.empty() ? did_you_mean(key, keys_of(table)) : homes;
}

/// Walks the parsed document and collects what is wrong with it.
class Reader {
 public:
  Reader(std::string_view file_name, Target target) : file_name_(file_name), target_(target) {}

  void read_document(const toml::table& document) {
    const std::vector<std::string_view> tables = table_names();
    for (const auto& [key, value] : document) {
      const std::string_view name = key.str();
      const bool known = std::find(tables.begin(), tables.end(), name) != tables.end();
      if (known && name == kBlock) {
        for (const toml::table* disk : tables_of(value, name, "a disk's")) {
          target_.block = &target_.config.blocks.emplace_back();
          read_table(name, *disk);
        }
      } else if (known && name == kNet) {
        for (const toml::table* net : tables_of(value, name, "an interface's")) {
          target_.net = &target_.config.nets.emplace_back();
          read_table(name, *net);
        }
      } else if (known && name == kVfio) {
        for (const toml::table* device : tables_of(value, name, "a device's")) {
          target_.vfio = &target_.config.vfios.emplace_back();
          read_table(name, *device);
        }
      } else if (const auto* table = value.as_table(); known && table != nullptr) {
        read_table(name, *table);
      } else if (known) {
        report(value.source(), quoted(name) + " " + wrong_type("a table", value) + " -- write [" +
                                   std::string(name) + "] and its keys below");
      } else if (value.is_table()) {
        report(key.source(), "unknown table " + quoted(name) + did_you_mean(name, tables));
      } else {
        report(key.source(),
               "unknown key " + quoted(name) + " outside of a table" + key_hint({}, name));
      }
    }
  }

  void report(const toml::source_region& source, std::string text) {
    // What a file holds may be quoted, but must not steer the user's terminal.
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
    }
    problems_.push_back({source.begin, std::move(text)});
  }

  /// The problems in the order of the file, one per line; empty when there was none.
  std::string problems() {
    std::sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
      return a.at.line != b.at.line ? a.at.line < b.at.line : a.at.column < b.at.column;
    });
    if (problems_.size() == 1) return line(problems_.front());
    std::string text;
    if (!problems_.empty()) text = format("%zu problems:", problems_.size());
    for (std::size_t i = 0; i < problems_.size() && i < kMostProblems; ++i) {
      text += "\n" + line(problems_[i]);
    }
    if (problems_.size() > kMostProblems) text += "\n...";
    return text;
  }

 private:
  struct Problem {
    toml::source_position at;
    std::string text;
  };

  /// The tables of an array of them. `whose`: "a disk's".
  std::vector<const toml::table*> tables_of(const toml::node& value, std::string_view name,
                                            const char* whose) {
    std::vector<const toml::table*> tables;
    const auto* array = value.as_array();
    if (array == nullptr || !array->is_array_of_tables()) {
      report(value.source(), quoted(name) + " " + wrong_type("an array of tables", value) +
                                 " -- write [[" + std::string(name) + "]] and " + whose +
                                 " keys below");
      return tables;
    }
    for (const toml::node& table : *array) tables.push_back(table.as_table());
    return tables;
  }

  void read_table(std::string_view name, const toml::table& table) {
    for (const auto& [key, value] : table) {
      const KnownKey* const known = find_key(name, key.str());
      if (known == nullptr) {
        report(key.source(), "unknown key " + quoted(key.str()) + " in [" + std::string(name) +
                                 "]" + key_hint(name, key.str()));
        continue;
      }
      const std::string problem = known->set(value, target_);
      if (!problem.empty()) {
        report(value.source(),
               quoted(std::string(name) + "." + std::string(key.str())) + " " + problem);
      }
    }
  }

  std::string line(const Problem& problem) const {
    return format("%s:%u:%u: ", file_name_.c_str(), problem.at.line, problem.at.column) +
           problem.text;
  }

  std::string file_name_;
  Target target_;
  std::vector<Problem> problems_;
};

}  // namespace

std::span<const TomlKey> toml_keys() {
  return kTomlKeys;
}

Result<VmConfig> read_toml(std::string_view text, std::string_view file_name) {
  VmConfig config;
  Reader reader(file_name,
                {config, nullptr, nullptr, nullptr, file_name.substr(0, file_name.rfind('/') + 1)});
  const toml::parse_result document = toml::parse(text);
  if (document) {
    reader.read_document(document.table());
  } else {
    reader.report(document.error().source(), std::string(document.error().description()));
  }
  std::string problems = reader.problems();
  if (!problems.empty()) return Error::config(std::move(problems));
  return config;
}

Result<VmConfig> read_toml_file(const std::string& path) {
  const std::string text = TRY(read_text_file(path));
  if (text.find('\0') != std::string::npos) {
    return Error::config("'" + path +
                         "' is a binary file, not TOML -- a kernel is passed with --kernel");
  }
  if (text.size() > kMaxConfigFile) {
    return Error::config("'" + path + "' is larger than 1MiB, which no TOML file of a VM is");
  }
  return read_toml(text, path);
}

}  // namespace mote
