// SPDX-License-Identifier: Apache-2.0
// The VM behind the API: takes what clients configure, starts the guest and drives it.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/api.hpp"
#include "api/controller.hpp"
#include "api/http/server.hpp"
#include "cli/serve/configured_vm.hpp"
#include "cli/serve/launch.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"
#include "core/line_file.hpp"
#include "core/metrics_writer.hpp"

namespace mote {

/// What a process that serves the API was given for its guest.
struct ServedVm {
  std::shared_ptr<const kvm::System> system;
  ThreadSeal seal = nullptr;
  const char* vcpu_name = "vcpu";  ///< see Machine::prepare_to_run
  bool sandboxed = false;
  Transport transport = Transport::kMmio;       ///< of devices that clients configure
  TapsByName taps;                              ///< opened before the lock-in
  std::unique_ptr<vfio::AddressSpace> devices;  ///< likewise
  UniqueFd signals;                             ///< a signalfd
  RawTerminal* terminal = nullptr;  ///< given to the guest when it starts; null: there is none
  LogFormat log_format = LogFormat::kPlain;
  std::string id;
};

/// Lives until the process ends, once a guest was started. Thread: the server's, but for `on_over`
/// and `on_unplugged`.
class VmController final : public api::Controller, private http::Watcher {
 public:
  /// `timeline` outlives this.
  VmController(ServedVm vm, Timeline& timeline)
      : vm_(std::move(vm)),
        timeline_(timeline),
        configured_(vm_.sandboxed, std::move(vm_.taps), std::move(vm_.devices)) {
    configured_.config().machine.transport = vm_.transport;
  }

  /// Before anything else.
  Result<void> attach(http::Server& server, api::EventLog& events);
  /// Takes over what a configuration file says, whose files have been opened.
  void configure(VmConfig config, HostFiles files) {
    configured_.take(std::move(config), std::move(files));
  }
  /// When the server has stopped: the exit code.
  ExitCode finish();

  api::VmState state() override { return state_; }
  VmConfig config() override;

  Result<void> put_boot_source(KernelConfig kernel) override;
  Result<void> put_machine(const MachineUpdate& update) override;
  Result<void> put_drive(BlockConfig drive, UniqueFd file) override;
  Result<void> put_net(NetConfig net, std::vector<UniqueFd> taps) override;
  Result<void> put_vfio(VfioConfig device, std::vector<UniqueFd> descriptors) override;
  Result<void> put_serial(SerialConfig serial) override;
  Result<void> put_cpu_config(std::vector<CpuidMask> cpuid) override;
  Result<void> put_logger(const LoggerConfig& logger) override;
  Result<void> put_metrics(const MetricsConfig& metrics) override;
  Result<void> start() override;

  Result<void> patch_drive(const DriveUpdate& update, UniqueFd file) override;
  Result<void> patch_net(const NetUpdate& update) override;
  Result<void> pause() override;
  Result<void> resume() override;
  Result<void> send_ctrl_alt_del() override;
  Result<void> flush_metrics() override;

  std::vector<api::VfioDevice> vfios() override;
  void remove_vfio(const std::string& id, bool by_force, api::Reply reply) override;
  void stop(u32 timeout_ms, api::Reply reply) override;
  void collect(MetricsSink& sink) override;
  std::string timeline() override { return timeline_.chrome_trace(); }

 private:
  void on_readable(int fd) override;
  void on_signal();
  void on_over(i32);
  void on_unplugged(i32 position);
  void tell_of_device(std::string_view event, std::size_t position);
  bool is_gone(std::size_t position) const;
  Result<void> make_launch();
  void prepare_launch();
  void tell(std::string_view what);
  void quit(ExitCode code);

  ServedVm vm_;
  Timeline& timeline_;
  http::Server* server_ = nullptr;
  api::EventLog* events_ = nullptr;
  api::VmState state_ = api::VmState::kNotStarted;

  ConfiguredVm configured_;
  std::deque<LineFile> logs_;  // threads may still be writing to an earlier one
  std::optional<MetricsWriter> metrics_;
  UniqueFd metrics_timer_;
  UniqueFd prepare_timer_;

  std::unique_ptr<Launch> launch_;
  Machine* machine_ = nullptr;    // from the moment that it is built
  std::optional<ExitCode> code_;  // of an end without a guest

  std::mutex lock_;  // guards the three below
  std::vector<api::Reply> stop_replies_;
  std::vector<std::pair<std::size_t, api::Reply>> unplug_replies_;  // by the device's position
  bool over_ = false;
};

}  // namespace mote
