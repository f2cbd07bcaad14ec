// SPDX-License-Identifier: Apache-2.0
// The parts of a VM as Firecracker's API and configuration file spell them, read from JSON: one
// function for each object. Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/json/fields.hpp"
#include "core/log.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {

/// The limits that a change names. None: as it was. One that holds none: no longer limited.
struct RateUpdate {
  std::optional<std::optional<RateLimit>> bandwidth;
  std::optional<std::optional<RateLimit>> operations;
  bool operator==(const RateUpdate&) const = default;
};

/// What a change of the machine names.
struct MachineUpdate {
  std::optional<u8> vcpus;
  std::optional<u64> memory_mib;
  std::optional<bool> smt;
  std::optional<bool> track_dirty_pages;
  std::optional<bool> huge_pages;
  bool names_template = false;  ///< cpu_template was there, which is deprecated
};

struct DriveUpdate {
  std::string id;
  std::optional<std::string> path;
  RateUpdate rate;
};

struct NetUpdate {
  std::string id;
  RateUpdate rx;
  RateUpdate tx;
};

struct LoggerConfig {
  std::string path;  ///< empty: where the log goes already
  std::optional<LogLevel> level;
  std::optional<bool> show_level;
  std::optional<bool> show_origin;
};

struct MetricsConfig {
  std::string path;
  bool emit_id = false;
  std::vector<std::pair<std::string, std::string>> properties;  ///< to be shown with the metrics
};

// Each takes over what `value` holds, or returns false and leaves the problem with `reader`.

bool read_boot_source(json::Reader& reader, const json::Value& value, KernelConfig& kernel);
/// All of a machine: what is absent gets its default.
bool read_machine(json::Reader& reader, const json::Value& value, MachineUpdate& machine);
bool read_machine_update(json::Reader& reader, const json::Value& value, MachineUpdate& machine);
/// The path may be absent, for a file that comes as a descriptor.
bool read_drive(json::Reader& reader, const json::Value& value, BlockConfig& drive);
bool read_drive_update(json::Reader& reader, const json::Value& value, DriveUpdate& drive);
/// The name of the tap may be absent, for one that comes as descriptors.
bool read_net(json::Reader& reader, const json::Value& value, NetConfig& net);
bool read_net_update(json::Reader& reader, const json::Value& value, NetUpdate& net);
bool read_vfio(json::Reader& reader, const json::Value& value, VfioConfig& device);
bool read_serial(json::Reader& reader, const json::Value& value, SerialConfig& serial);
bool read_cpu_config(json::Reader& reader, const json::Value& value, std::vector<CpuidMask>& cpuid);
bool read_logger(json::Reader& reader, const json::Value& value, LoggerConfig& logger);
bool read_metrics(json::Reader& reader, const json::Value& value, MetricsConfig& metrics);

/// "Info" and so on in any case; also on the command line. Nothing for another word.
std::optional<LogLevel> parse_log_level(std::string_view word);

/// What a kernel is told by a client that tells it nothing.
inline constexpr std::string_view kDefaultBootArgs =
    "reboot=k panic=1 nomodule 8250.nr_uarts=0 i8042.noaux i8042.nomux i8042.dumbkbd "
    "swiotlb=noforce";

}  // namespace mote
