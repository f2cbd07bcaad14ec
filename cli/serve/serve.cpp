// SPDX-License-Identifier: Apache-2.0
#include "cli/serve/serve.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include "api/api.hpp"
#include "api/http/unix_listener.hpp"
#include "cli/confinement.hpp"
#include "cli/serve/controller.hpp"
#include "cli/serve/firecracker.hpp"
#include "cli/signals.hpp"
#include "cli/terminal.hpp"
#include "cli/timeline_report.hpp"
#include "cli/version.hpp"
#include "core/thread.hpp"
#include "devices/vfio/taking.hpp"

namespace mote {
namespace {

/// What the process holds from before it is split and confined.
struct Outside {
  http::UnixListener listener;
  std::optional<RawTerminal> terminal;
};

void remove_socket(void* listener) {
  static_cast<http::UnixListener*>(listener)->remove();
}

Result<void> open_log(const ServeOptions& options) {
  if (options.log_level) set_log_level(*options.log_level);
  if (options.log_format == LogFormat::kPlain) return {};
  set_log_output({.fd = options.as_firecracker ? STDOUT_FILENO : STDERR_FILENO,
                  .format = options.log_format,
                  .id = options.id,
                  .show_level = true});
  return {};
}

Result<TapsByName> open_taps(const std::vector<std::string>& names) {
  TapsByName taps;
  for (const std::string& name : names) {
    taps.emplace(name, TRY(virtio::Tap::open({.name = name})));
  }
  return taps;
}

/// Devices of the host, for clients to name. Behind the lock-in nobody may lock more memory than
/// the limit says, so it is raised as far as the user may.
Result<std::unique_ptr<vfio::AddressSpace>> open_devices(const std::vector<VfioConfig>& devices) {
  if (devices.empty()) return std::unique_ptr<vfio::AddressSpace>();
  auto space = TRY(vfio::open_address_space(vfio::HostFunctions(), addresses_of(devices)));
  rlimit limit{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0 && ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_MEMLOCK, &limit);
  }
  return space;
}

api::Identity identity_of(const ServeOptions& options) {
  return {.id = options.id,
          .app_name = options.as_firecracker ? "Firecracker" : "Mote",
          .version = options.as_firecracker ? std::string(kFirecrackerVersion) : kVersion,
          .firecracker_version = std::string(kFirecrackerVersion)};
}

/// Does what clients would: as the command line and the configuration file say.
Result<void> configure(VmController& controller, const ServeOptions& options,
                       std::optional<HostFiles> files) {
  const JsonConfig& config = options.config;
  if (config.logger) TRY(controller.put_logger(*config.logger));
  if (config.metrics) TRY(controller.put_metrics(*config.metrics));
  if (!options.starts) return {};
  controller.configure(config.vm, *std::move(files));
  return controller.start();
}

int exit_code(const ServeOptions& options, ExitCode code) {
  return options.as_firecracker ? firecracker_exit_code(code) : static_cast<int>(code);
}

ExitCode report(const ServeOptions& options, const Error& error) {
  std::fprintf(stderr, "%s%s\n", options.as_firecracker ? "" : "mote: ", error.message().c_str());
  return exit_code_for(error.fault());
}

/// In the process that holds the VM. Returns only Errors from before there is a server.
Result<ExitCode> serve_vm(const ServeOptions& options, Outside& outside, Confinement& confinement,
                          ServedSignals signals, Timeline& timeline) {
  const VmConfig& config = options.config.vm;
  ServedVm vm{.seal = confinement.seal(),
              .vcpu_name = options.as_firecracker ? "fc_vcpu " : "vcpu",
              .sandboxed = config.sandbox.enabled,
              .transport = config.machine.transport,
              .taps = TRY(open_taps(options.taps)),
              .devices = TRY(open_devices(config.vfios)),
              .signals = TRY(signals_to_read(signals)),
              .terminal = outside.terminal ? &*outside.terminal : nullptr,
              .log_format = options.log_format,
              .id = options.id};
  const TimelineReport timeline_report = TRY(TimelineReport::open(config.timeline));
  std::optional<HostFiles> files;
  if (options.starts) files = TRY(HostFiles::open_but_devices(config));
  if (files && !files->serial.pty_path.empty()) {
    std::fprintf(stderr, "mote: serial port: %s\n", files->serial.pty_path.c_str());
  }
  vm.system = std::make_shared<const kvm::System>(TRY(kvm::System::open()));
  TRY(confinement.lock_in());
  timeline.mark("locked in");

  VmController controller(std::move(vm), timeline);
  api::Api api(identity_of(options), controller);
  const bool has_socket = outside.listener.fd() >= 0;
  auto server = TRY(http::Server::create(std::move(outside.listener), api,
                                         {.limits = {.body = options.most_body}}));
  api.attach(*server);
  Result<void> ready = controller.attach(*server, api.events());
  if (ready) ready = configure(controller, options, std::move(files));
  if (ready) {
    if (has_socket) log(LogLevel::kInfo, "Listening on API socket (%s).", options.socket.c_str());
    log(LogLevel::kInfo, "API server started.");
    server->run();
  }
  // WHY there is no way back from here: see `run_vm` in cli/run.cpp.
  const ExitCode code = ready ? controller.finish() : report(options, ready.error());
  outside.terminal.reset();
  if (!config.sandbox.enabled) server->listener().remove();
  timeline.mark("end");
  const auto written = timeline_report.write(timeline);
  ::_exit(exit_code(options, written ? code : report(options, written.error())));
}

}  // namespace

Result<ExitCode> serve(const ServeOptions& options, Timeline& timeline) {
  // See `run_command`.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_MAX, 0);
  const ServedSignals signals =
      options.as_firecracker ? ServedSignals::kNoEnd : ServedSignals::kAll;
  prepare_signals(signals);
  TRY(open_log(options));
  const VmConfig& config = options.config.vm;
  Outside outside;
  if (!options.socket.empty()) outside.listener = TRY(http::UnixListener::create(options.socket));
  if (config.serial.mode == SerialMode::kStdio) outside.terminal.emplace();

  ConfinementNeeds needs;
  if (outside.listener.fd() >= 0) {
    needs.fds = {outside.listener.fd()};
    needs.cleanup = {.function = &remove_socket,
                     .context = &outside.listener,
                     .fd = outside.listener.folder_fd(),
                     .folder = outside.listener.folder()};
  }
  needs.folders = options.folders;
  needs.filters_alone = options.as_firecracker && options.has_filters;
  if (options.as_firecracker) needs.forbidden_call = kFirecrackerBadCall;
  auto entered = Confinement::enter(config, needs);
  if (!entered) {
    outside.listener.remove();
    return std::move(entered).error();
  }
  Confinement confinement = *std::move(entered);
  if (const auto code = confinement.supervisors_exit_code()) return static_cast<ExitCode>(*code);
  const bool sandboxed = config.sandbox.enabled;
  if (sandboxed) outside.listener.disown();

  auto code = serve_vm(options, outside, confinement, signals, timeline);
  if (!code && !sandboxed) outside.listener.remove();
  return code;
}

}  // namespace mote
