// SPDX-License-Identifier: Apache-2.0
// What stands behind the API: the VM as its clients drive it. All calls come from the server's
// thread, one at a time, and only when `check_state` lets them; a guest may end at any moment all
// the same. An Error's message is what the client reads.
#pragma once

#include <string>
#include <vector>

#include "api/command.hpp"
#include "api/http/server.hpp"
#include "core/fd.hpp"
#include "core/metrics.hpp"
#include "core/result.hpp"

namespace mote::api {

/// The answer to a request that takes longer than others should wait for. To be given once, on any
/// thread, while the server lives; a client that has gone meanwhile is no error.
class Reply {
 public:
  Reply(http::Server& server, u64 ticket) : server_(&server), ticket_(ticket) {}
  void give(const Result<void>& outcome) const;

 private:
  http::Server* server_;
  u64 ticket_;
};

/// Where a device of the host is.
enum class VfioState : u8 {
  kConfigured,  ///< the guest will have it
  kAttached,    ///< it has it
  kAsked,       ///< it has been asked to give it back
};

struct VfioDevice {
  VfioConfig config;  ///< with its id
  VfioState state = VfioState::kConfigured;
};

class Controller {
 public:
  virtual ~Controller() = default;

  virtual VmState state() = 0;
  /// What was configured so far, or runs.
  virtual VmConfig config() = 0;

  // Before the start. Files and taps are opened at once and kept, so that the client that names
  // them learns what is wrong with them.
  virtual Result<void> put_boot_source(KernelConfig kernel) = 0;
  virtual Result<void> put_machine(const MachineUpdate& update) = 0;
  /// `file` is open when the client handed it over; the path is then for show.
  virtual Result<void> put_drive(BlockConfig drive, UniqueFd file) = 0;
  /// `taps` are those that the client handed over, one per queue pair, or none.
  virtual Result<void> put_net(NetConfig net, std::vector<UniqueFd> taps) = 0;
  /// `descriptors`, if there are any: its group's or its own, and that of the address space if it
  /// is the first one there.
  virtual Result<void> put_vfio(VfioConfig device, std::vector<UniqueFd> descriptors) = 0;
  virtual Result<void> put_serial(SerialConfig serial) = 0;
  virtual Result<void> put_cpu_config(std::vector<CpuidMask> cpuid) = 0;
  virtual Result<void> put_logger(const LoggerConfig& logger) = 0;
  virtual Result<void> put_metrics(const MetricsConfig& metrics) = 0;
  /// Returns when the guest runs, or cannot.
  virtual Result<void> start() = 0;

  // While there is a guest.
  virtual Result<void> patch_drive(const DriveUpdate& update, UniqueFd file) = 0;
  virtual Result<void> patch_net(const NetUpdate& update) = 0;
  virtual Result<void> pause() = 0;
  virtual Result<void> resume() = 0;
  virtual Result<void> send_ctrl_alt_del() = 0;
  virtual Result<void> flush_metrics() = 0;

  // At any time.
  /// Those that the guest has or will have.
  virtual std::vector<VfioDevice> vfios() = 0;
  /// Before the start: forgets the device. Later: asks the guest for it, and answers; by force:
  /// takes it, and answers when the host has it.
  virtual void remove_vfio(const std::string& id, bool by_force, Reply reply) = 0;
  /// Asks the guest to end and sees to it when `timeout_ms` have passed. Without a guest, and
  /// behind it, the process ends.
  virtual void stop(u32 timeout_ms, Reply reply) = 0;
  virtual void collect(MetricsSink& sink) = 0;
  /// Chrome's trace format.
  virtual std::string timeline() = 0;
};

}  // namespace mote::api
