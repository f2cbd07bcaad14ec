// SPDX-License-Identifier: Apache-2.0
// What a client can ask for, as types, and how a request becomes one of them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/http/message.hpp"
#include "core/result.hpp"
#include "vmm/config/resources.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote::api {

/// Where a VM is in its life, as a client sees it.
enum class VmState : u8 { kNotStarted, kRunning, kPaused };

// One type for each operation of openapi.yaml, in its order.

struct GetInstance {};
struct GetVersion {};
struct GetVmConfig {};
struct GetMachine {};
struct GetVfios {};
struct GetVfio {
  std::string id;
};
struct GetMetrics {};
struct GetEvents {
  u64 after = 0;  ///< the last event that the client has seen
};
struct GetTimeline {};

struct PutBootSource {
  KernelConfig kernel;
};
struct PutMachine {
  MachineUpdate machine;
};
struct PutDrive {
  BlockConfig drive;
};
struct PutNet {
  NetConfig net;
};
struct PutVfio {
  VfioConfig device;
};
struct PutSerial {
  SerialConfig serial;
};
struct PutCpuConfig {
  std::vector<CpuidMask> cpuid;
};
struct PutLogger {
  LoggerConfig logger;
};
struct PutMetrics {
  MetricsConfig metrics;
};

struct PatchDrive {
  DriveUpdate drive;
};
struct PatchNet {
  NetUpdate net;
};

struct DeleteVfio {
  std::string id;
  bool by_force = false;  ///< without asking the guest
};

struct Start {};
struct Stop {
  u32 timeout_ms = 10'000;  ///< how long the guest may take before it is stopped anyway
};
struct SendCtrlAltDel {};
struct FlushMetrics {};
struct Pause {};
struct Resume {};

/// What Mote does not have yet; why not depends on the guest.
struct Snapshot {};

using Command =
    std::variant<GetInstance, GetVersion, GetVmConfig, GetMachine, GetVfios, GetVfio, GetMetrics,
                 GetEvents, GetTimeline, PutBootSource, PutMachine, PutDrive, PutNet, PutVfio,
                 PutSerial, PutCpuConfig, PutLogger, PutMetrics, PatchDrive, PatchNet, DeleteVfio,
                 Start, Stop, SendCtrlAltDel, FlushMetrics, Pause, Resume, Snapshot>;

/// What a request asks for. The Error's message is for the client.
Result<Command> parse_command(const http::Request& request);

/// Whether a command has its time in `state`; the Error is for the client.
Result<void> check_state(const Command& command, VmState state);

}  // namespace mote::api
