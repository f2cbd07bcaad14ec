// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/resources.hpp"

#include <strings.h>

#include <algorithm>
#include <limits>

namespace mote {
namespace {

using json::Field;
using json::Need;
using json::Reader;
using json::Unknown;
using json::Value;

constexpr Need kRequired = Need::kRequired;
constexpr Need kOptional = Need::kOptional;

/// For fields that are taken and change nothing here.
template <class T>
bool ignore_text(Reader& r, const Value& v, T&) {
  std::string text;
  return r.read(v, text);
}

template <class T>
bool ignore_flag(Reader& r, const Value& v, T&) {
  bool flag = false;
  return r.read(v, flag);
}

// Rate limits -------------------------------------------------------------------------------------

struct Bucket {
  u64 size = 0;
  u64 refill_ms = 0;
  u64 burst = 0;
};

constexpr Field<Bucket> kBucket[] = {
    {"size", kRequired, [](Reader& r, const Value& v, Bucket& t) { return r.read(v, t.size); }},
    {"refill_time", kRequired,
     [](Reader& r, const Value& v, Bucket& t) { return r.read(v, t.refill_ms); }},
    {"one_time_burst", kOptional,
     [](Reader& r, const Value& v, Bucket& t) { return r.read(v, t.burst); }},
};

bool read_bucket(Reader& r, const Value& v, std::optional<std::optional<RateLimit>>& limit) {
  Bucket bucket;
  if (!json::read_object(r, v, "struct TokenBucket", kBucket, bucket, Unknown::kIgnore)) {
    return false;
  }
  limit.emplace();
  if (bucket.size == 0 || bucket.refill_ms == 0) return true;
  constexpr u64 kMost = std::numeric_limits<u32>::max();  // 49 days
  *limit = {bucket.size, static_cast<u32>(std::min(bucket.refill_ms, kMost)), bucket.burst};
  return true;
}

constexpr Field<RateUpdate> kRate[] = {
    {"bandwidth", kOptional,
     [](Reader& r, const Value& v, RateUpdate& t) { return read_bucket(r, v, t.bandwidth); }},
    {"ops", kOptional,
     [](Reader& r, const Value& v, RateUpdate& t) { return read_bucket(r, v, t.operations); }},
};

bool read_rate(Reader& r, const Value& v, RateUpdate& rate) {
  return json::read_object(r, v, "struct RateLimiterConfig", kRate, rate);
}

/// The limits of something new.
bool read_rate(Reader& r, const Value& v, std::optional<RateLimit>& bandwidth,
               std::optional<RateLimit>& operations) {
  RateUpdate rate;
  if (!read_rate(r, v, rate)) return false;
  bandwidth = rate.bandwidth.value_or(std::nullopt);
  operations = rate.operations.value_or(std::nullopt);
  return true;
}

// The machine -------------------------------------------------------------------------------------

constexpr Field<KernelConfig> kBootSource[] = {
    {"kernel_image_path", kRequired,
     [](Reader& r, const Value& v, KernelConfig& t) { return r.read(v, t.path); }},
    {"initrd_path", kOptional,
     [](Reader& r, const Value& v, KernelConfig& t) { return r.read(v, t.initrd); }},
    {"boot_args", kOptional,
     [](Reader& r, const Value& v, KernelConfig& t) { return r.read(v, t.cmdline); }},
};

bool read_huge_pages(Reader& r, const Value& v, MachineUpdate& t) {
  static constexpr std::array<std::string_view, 3> kNames = {"None", "Transparent", "2M"};
  std::size_t index = 0;
  if (!r.read_variant(v, kNames, index)) return false;
  if (index == 1) {
    return r.refuse("Mote backs no memory with transparent huge pages: choose None or 2M", v.end);
  }
  t.huge_pages = index == 2;
  return true;
}

bool read_template(Reader& r, const Value& v, MachineUpdate& t) {
  static constexpr std::array<std::string_view, 7> kNames = {"C3",  "T2",   "T2S", "T2CL",
                                                             "T2A", "V1N1", "None"};
  std::size_t index = 0;
  if (!r.read_variant(v, kNames, index)) return false;
  if (kNames[index] != "None") {
    return r.refuse("Mote has no CPU template " + v.text + ": mask CPUID with /cpu-config", v.end);
  }
  t.names_template = true;
  return true;
}

template <Need kNeed>
constexpr Field<MachineUpdate> kMachine[] = {
    {"vcpu_count", kNeed,
     [](Reader& r, const Value& v, MachineUpdate& t) { return r.read(v, t.vcpus); }},
    {"mem_size_mib", kNeed,
     [](Reader& r, const Value& v, MachineUpdate& t) { return r.read(v, t.memory_mib); }},
    {"smt", kOptional,
     [](Reader& r, const Value& v, MachineUpdate& t) { return r.read(v, t.smt); }},
    {"cpu_template", kOptional, &read_template},
    {"track_dirty_pages", kOptional,
     [](Reader& r, const Value& v, MachineUpdate& t) { return r.read(v, t.track_dirty_pages); }},
    {"huge_pages", kOptional, &read_huge_pages},
};

// Devices -----------------------------------------------------------------------------------------

bool read_cache(Reader& r, const Value& v, BlockConfig& t) {
  static constexpr std::array<std::string_view, 2> kNames = {"Unsafe", "Writeback"};
  return r.read_variant(v, kNames, std::array{BlockCache::kUnsafe, BlockCache::kWriteback},
                        t.cache);
}

/// Mote chooses the way of each request itself.
bool read_engine(Reader& r, const Value& v, BlockConfig&) {
  static constexpr std::array<std::string_view, 2> kNames = {"Sync", "Async"};
  std::size_t index = 0;
  return r.read_variant(v, kNames, index);
}

constexpr Field<BlockConfig> kDrive[] = {
    {"drive_id", kRequired,
     [](Reader& r, const Value& v, BlockConfig& t) { return r.read(v, t.id); }},
    {"is_root_device", kRequired,
     [](Reader& r, const Value& v, BlockConfig& t) { return r.read(v, t.root); }},
    {"path_on_host", kOptional,
     [](Reader& r, const Value& v, BlockConfig& t) { return r.read(v, t.path); }},
    {"partuuid", kOptional,
     [](Reader& r, const Value& v, BlockConfig& t) { return r.read(v, t.partuuid); }},
    {"is_read_only", kOptional,
     [](Reader& r, const Value& v, BlockConfig& t) { return r.read(v, t.read_only); }},
    {"cache_type", kOptional, &read_cache},
    {"io_engine", kOptional, &read_engine},
    {"rate_limiter", kOptional,
     [](Reader& r, const Value& v, BlockConfig& t) {
       return read_rate(r, v, t.bandwidth, t.operations);
     }},
    {"socket", kOptional,
     [](Reader& r, const Value& v, BlockConfig&) {
       return r.refuse("Mote has no vhost-user drives: name a file or a block device", v.end);
     }},
    {"discard", kOptional, &ignore_flag<BlockConfig>},  // a guest may always discard
};

constexpr Field<DriveUpdate> kDriveUpdate[] = {
    {"drive_id", kRequired,
     [](Reader& r, const Value& v, DriveUpdate& t) { return r.read(v, t.id); }},
    {"path_on_host", kOptional,
     [](Reader& r, const Value& v, DriveUpdate& t) { return r.read(v, t.path); }},
    {"rate_limiter", kOptional,
     [](Reader& r, const Value& v, DriveUpdate& t) { return read_rate(r, v, t.rate); }},
};

bool read_mac(Reader& r, const Value& v, NetConfig& t) {
  std::string text;
  if (!r.read(v, text)) return false;
  const auto mac = parse_mac(text);
  if (!mac) return r.refuse(mac.error().message(), v.end);
  t.mac = *mac;
  return true;
}

bool read_mtu(Reader& r, const Value& v, NetConfig& t) {
  u16 mtu = 0;
  if (!r.read(v, mtu)) return false;
  if (mtu < kMinMtu || mtu > kMaxMtu) {
    return r.refuse("an mtu of " + v.text + " is out of range: choose " + std::to_string(kMinMtu) +
                        " to " + std::to_string(kMaxMtu),
                    v.end);
  }
  t.mtu = mtu;
  return true;
}

constexpr Field<NetConfig> kNet[] = {
    {"iface_id", kRequired,
     [](Reader& r, const Value& v, NetConfig& t) { return r.read(v, t.id); }},
    {"host_dev_name", kOptional,
     [](Reader& r, const Value& v, NetConfig& t) { return r.read(v, t.tap); }},
    {"guest_mac", kOptional, &read_mac},
    {"mtu", kOptional, &read_mtu},
    {"rx_rate_limiter", kOptional,
     [](Reader& r, const Value& v, NetConfig& t) {
       return read_rate(r, v, t.rx_bandwidth, t.rx_frames);
     }},
    {"tx_rate_limiter", kOptional,
     [](Reader& r, const Value& v, NetConfig& t) {
       return read_rate(r, v, t.tx_bandwidth, t.tx_frames);
     }},
};

constexpr Field<NetUpdate> kNetUpdate[] = {
    {"iface_id", kRequired,
     [](Reader& r, const Value& v, NetUpdate& t) { return r.read(v, t.id); }},
    {"rx_rate_limiter", kOptional,
     [](Reader& r, const Value& v, NetUpdate& t) { return read_rate(r, v, t.rx); }},
    {"tx_rate_limiter", kOptional,
     [](Reader& r, const Value& v, NetUpdate& t) { return read_rate(r, v, t.tx); }},
};

bool read_address(Reader& r, const Value& v, VfioConfig& t) {
  std::string text;
  if (!r.read(v, text)) return false;
  const auto address = parse_pci_address(text);
  if (!address) return r.refuse(address.error().message(), v.end);
  t.address = *address;
  return true;
}

constexpr Field<VfioConfig> kVfio[] = {
    {"id", kRequired, [](Reader& r, const Value& v, VfioConfig& t) { return r.read(v, t.id); }},
    {"address", kRequired, &read_address},
};

constexpr Field<SerialConfig> kSerial[] = {
    {"serial_out_path", kOptional,
     [](Reader& r, const Value& v, SerialConfig& t) {
       t.mode = SerialMode::kFile;
       return r.read(v, t.path);
     }},
    {"rate_limiter", kOptional,
     [](Reader& r, const Value& v, SerialConfig&) {
       return r.refuse("Mote limits no serial port: a slow reader slows the guest down", v.end);
     }},
};

// Logger and metrics ------------------------------------------------------------------------------

struct LevelName {
  const char* word;
  LogLevel level;
};

constexpr LevelName kLevels[] = {
    {"off", LogLevel::kOff},      {"error", LogLevel::kError}, {"warn", LogLevel::kWarn},
    {"warning", LogLevel::kWarn}, {"info", LogLevel::kInfo},   {"debug", LogLevel::kDebug},
    {"trace", LogLevel::kDebug},
};

bool read_level(Reader& r, const Value& v, LoggerConfig& t) {
  std::string word;
  if (!r.read(v, word)) return false;
  t.level = parse_log_level(word);
  if (t.level) return true;
  return r.refuse("unknown variant `" + word.substr(0, 64) +
                      "`, expected one of `Off`, `Trace`, `Debug`, `Info`, `Warn`, `Error`",
                  v.end);
}

constexpr Field<LoggerConfig> kLogger[] = {
    {"log_path", kOptional,
     [](Reader& r, const Value& v, LoggerConfig& t) { return r.read(v, t.path); }},
    {"level", kOptional, &read_level},
    {"show_level", kOptional,
     [](Reader& r, const Value& v, LoggerConfig& t) { return r.read(v, t.show_level); }},
    {"show_log_origin", kOptional,
     [](Reader& r, const Value& v, LoggerConfig& t) { return r.read(v, t.show_origin); }},
    {"module", kOptional, &ignore_text<LoggerConfig>},
};

bool read_properties(Reader& r, const Value& v, MetricsConfig& t) {
  if (v.kind != json::Kind::kObject) return r.refuse_type(v, "a map");
  for (const json::Member& member : v.members) {
    std::string text;
    if (!r.read(member.value, text)) return false;
    t.properties.emplace_back(member.name, std::move(text));
  }
  return true;
}

constexpr Field<MetricsConfig> kMetrics[] = {
    {"metrics_path", kRequired,
     [](Reader& r, const Value& v, MetricsConfig& t) { return r.read(v, t.path); }},
    {"emit_id", kOptional,
     [](Reader& r, const Value& v, MetricsConfig& t) { return r.read(v, t.emit_id); }},
    {"properties", kOptional, &read_properties},
};

}  // namespace

bool read_boot_source(Reader& reader, const Value& value, KernelConfig& kernel) {
  kernel.cmdline = kDefaultBootArgs;
  return json::read_object(reader, value, "struct BootSourceConfig", kBootSource, kernel);
}

bool read_machine(Reader& reader, const Value& value, MachineUpdate& machine) {
  machine.smt = false;
  machine.track_dirty_pages = false;
  machine.huge_pages = false;
  return json::read_object(reader, value, "struct MachineConfig", kMachine<kRequired>, machine);
}

bool read_machine_update(Reader& reader, const Value& value, MachineUpdate& machine) {
  return json::read_object(reader, value, "struct MachineConfigUpdate", kMachine<kOptional>,
                           machine);
}

bool read_drive(Reader& reader, const Value& value, BlockConfig& drive) {
  drive.cache = BlockCache::kUnsafe;
  return json::read_object(reader, value, "struct BlockDeviceConfig", kDrive, drive);
}

bool read_drive_update(Reader& reader, const Value& value, DriveUpdate& drive) {
  return json::read_object(reader, value, "struct BlockDeviceUpdateConfig", kDriveUpdate, drive);
}

bool read_net(Reader& reader, const Value& value, NetConfig& net) {
  return json::read_object(reader, value, "struct NetworkInterfaceConfig", kNet, net);
}

bool read_net_update(Reader& reader, const Value& value, NetUpdate& net) {
  return json::read_object(reader, value, "struct NetworkInterfaceUpdateConfig", kNetUpdate, net);
}

bool read_vfio(Reader& reader, const Value& value, VfioConfig& device) {
  return json::read_object(reader, value, "struct VfioDeviceConfig", kVfio, device);
}

bool read_serial(Reader& reader, const Value& value, SerialConfig& serial) {
  return json::read_object(reader, value, "struct SerialConfig", kSerial, serial);
}

bool read_logger(Reader& reader, const Value& value, LoggerConfig& logger) {
  return json::read_object(reader, value, "struct LoggerConfig", kLogger, logger);
}

bool read_metrics(Reader& reader, const Value& value, MetricsConfig& metrics) {
  return json::read_object(reader, value, "struct MetricsConfig", kMetrics, metrics,
                           Unknown::kIgnore);
}

std::optional<LogLevel> parse_log_level(std::string_view word) {
  const std::string text(word);
  for (const LevelName& name : kLevels) {
    if (::strcasecmp(text.c_str(), name.word) == 0) return name.level;
  }
  return std::nullopt;
}

}  // namespace mote
