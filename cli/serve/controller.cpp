// SPDX-License-Identifier: Apache-2.0
#include "cli/serve/controller.hpp"

#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "core/json/writer.hpp"
#include "core/log.hpp"
#include "core/pci_address.hpp"
#include "vmm/config/resource_rules.hpp"
#include "vmm/machine/buckets.hpp"

namespace mote {
namespace {

using api::VmState;

/// How long a client that has just started the process is served before the process makes what
/// needs no configuration.
constexpr u64 kPrepareAfterNs = 2'000'000;
/// How often metrics are written without being asked for.
constexpr u64 kMetricsPeriodNs = 60'000'000'000;

/// A process keeps what it has logged to open.
constexpr std::size_t kMostLogs = 8;

Result<UniqueFd> make_timer(u64 first_ns, u64 period_ns) {
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const auto spec = [](u64 ns) {
    return timespec{.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
                    .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
  };
  const itimerspec times{.it_interval = spec(period_ns), .it_value = spec(first_ns)};
  if (!timer || ::timerfd_settime(timer.get(), 0, &times, nullptr) != 0) {
    return Error::from_errno(errno, "cannot make a timer");
  }
  return timer;
}

std::string member(std::string_view name, std::string_view value) {
  return json::quoted(name) + ":" + json::quoted(value);
}

std::string_view reason_of(std::optional<ExitCode> code) {
  switch (code.value_or(ExitCode::kHostFailure)) {
    case ExitCode::kPowerOff:
      return "guest power-off";
    case ExitCode::kReset:
      return "guest reset";
    case ExitCode::kTripleFault:
      return "triple fault";
    case ExitCode::kVcpuFailure:
      return "vCPU failure";
    case ExitCode::kUserEscape:
      return "user at the console";
    case ExitCode::kInterrupted:
      return "SIGINT";
    case ExitCode::kTerminated:
      return "SIGTERM";
    case ExitCode::kStopped:
      return "stopped by a client";
    default:
      return "host failure";
  }
}

bool is_crash(std::optional<ExitCode> code) {
  return !code || *code == ExitCode::kTripleFault || *code == ExitCode::kVcpuFailure ||
         *code == ExitCode::kHostFailure;
}

}  // namespace

Result<void> VmController::attach(http::Server& server, api::EventLog& events) {
  server_ = &server;
  events_ = &events;
  http::Watcher& watcher = *this;
  server.watch(vm_.signals.get(), watcher);
  prepare_timer_ = TRY(make_timer(kPrepareAfterNs, 0));
  server.watch(prepare_timer_.get(), watcher);
  return {};
}

ExitCode VmController::finish() {
  if (metrics_) static_cast<void>(flush_metrics());
  if (code_) return *code_;
  return launch_->session().code().value_or(ExitCode::kHostFailure);
}

void VmController::on_readable(int fd) {
  if (fd == vm_.signals.get()) return on_signal();
  u64 expirations = 0;
  if (::read(fd, &expirations, sizeof(expirations)) < 0) return;
  if (fd == metrics_timer_.get()) static_cast<void>(flush_metrics());
  if (fd == prepare_timer_.get() && !launch_) prepare_launch();
}

Result<void> VmController::make_launch() {
  launch_ = TRY(Launch::start({.system = vm_.system,
                               .seal = vm_.seal,
                               .vcpu_name = vm_.vcpu_name,
                               .timeline = &timeline_,
                               .on_over = Completion::to<&VmController::on_over>(this),
                               .on_unplugged = Completion::to<&VmController::on_unplugged>(this),
                               .signals = vm_.signals.get()}));
  return {};
}

void VmController::prepare_launch() {
  // An Error comes again when a client starts the guest.
  if (make_launch()) launch_->prepare(config());
}

/// Before there is a guest.
void VmController::on_signal() {
  signalfd_siginfo signal{};
  if (::read(vm_.signals.get(), &signal, sizeof(signal)) != sizeof(signal)) return;
  if (signal.ssi_signo == SIGUSR1) return;  // no disk is in use
  quit(signal.ssi_signo == SIGINT ? ExitCode::kInterrupted : ExitCode::kTerminated);
}

/// With a guest, behind its end.
void VmController::quit(ExitCode code) {
  if (machine_ != nullptr) return launch_->session().finish_in(0, code);
  code_ = code;
  events_->publish("stopped", member("reason", reason_of(code)));
  server_->stop();
}

/// On the loop's thread.
void VmController::on_over(i32) {
  const std::optional<ExitCode> code = launch_->session().code();
  const auto& end = launch_->machine().end();
  std::string members = member("reason", reason_of(code));
  if (end && !end->report.empty()) {
    members += "," + member("detail", end->report);
    log(LogLevel::kError, "%s", end->report.c_str());
  }
  events_->publish(is_crash(code) ? "crashed" : "stopped", members);
  std::vector<api::Reply> replies;
  {
    const std::lock_guard guard(lock_);
    over_ = true;
    replies.swap(stop_replies_);
  }
  for (const api::Reply& reply : replies) reply.give({});
  server_->stop();
}

/// On a thread of its own. What is configured does not change any more.
void VmController::on_unplugged(i32 position) {
  const auto device = static_cast<std::size_t>(position);
  tell_of_device("unplugged", device);
  std::vector<api::Reply> replies;
  {
    const std::lock_guard guard(lock_);
    std::erase_if(unplug_replies_, [&](const auto& waiting) {
      if (waiting.first == device) replies.push_back(waiting.second);
      return waiting.first == device;
    });
  }
  for (const api::Reply& reply : replies) reply.give({});
}

void VmController::tell_of_device(std::string_view event, std::size_t position) {
  const VfioConfig& device = configured_.config().vfios.at(position);
  events_->publish(event, member("id", device.id) + "," +
                              member("address", print_pci_address(device.address.value())));
}

bool VmController::is_gone(std::size_t position) const {
  return state_ != VmState::kNotStarted &&
         machine_->unplug()->state(position) == PassedState::kGone;
}

/// Without the devices that the host has again.
VmConfig VmController::config() {
  VmConfig config = configured_.config();
  for (std::size_t position = config.vfios.size(); position-- > 0;) {
    if (!is_gone(position)) continue;
    config.vfios.erase(config.vfios.begin() + static_cast<std::ptrdiff_t>(position));
  }
  return config;
}

std::vector<api::VfioDevice> VmController::vfios() {
  std::vector<api::VfioDevice> devices;
  const std::vector<VfioConfig>& configured = configured_.config().vfios;
  for (std::size_t position = 0; position < configured.size(); ++position) {
    api::VfioDevice device{.config = configured[position]};
    if (state_ != VmState::kNotStarted) {
      const PassedState state = machine_->unplug()->state(position);
      if (state == PassedState::kGone) continue;
      device.state =
          state == PassedState::kAsked ? api::VfioState::kAsked : api::VfioState::kAttached;
    }
    devices.push_back(std::move(device));
  }
  return devices;
}

void VmController::remove_vfio(const std::string& id, bool by_force, api::Reply reply) {
  std::vector<VfioConfig>& devices = configured_.config().vfios;
  const VfioConfig* const device = find_vfio(devices, id);
  const auto position =
      device != nullptr ? static_cast<std::size_t>(device - devices.data()) : devices.size();
  if (device == nullptr || is_gone(position)) {
    return reply.give(Error::config("there is no device of the host '" + id + "'"));
  }
  if (state_ == VmState::kNotStarted) {
    configured_.forget_vfio(id);
    tell("vfio-devices/" + id);
    return reply.give({});
  }
  if (!by_force) {
    tell_of_device("unplug-asked", position);
    machine_->unplug()->ask(position);
    return reply.give({});
  }
  bool is_late = false;
  {
    const std::lock_guard guard(lock_);
    is_late = is_gone(position);
    if (!is_late) unplug_replies_.emplace_back(position, reply);
  }
  if (is_late) return reply.give({});
  machine_->unplug()->take(position);
}

void VmController::tell(std::string_view what) {
  events_->publish("configured", member("part", what));
}

Result<void> VmController::put_boot_source(KernelConfig kernel) {
  TRY(configured_.put_boot_source(std::move(kernel)));
  tell("boot-source");
  return {};
}

Result<void> VmController::put_machine(const MachineUpdate& update) {
  TRY(change_machine(configured_.config().machine, update));
  if (launch_) launch_->prepare(config());
  tell("machine-config");
  return {};
}

Result<void> VmController::put_drive(BlockConfig drive, UniqueFd file) {
  TRY(configured_.put_drive(drive, std::move(file)));
  tell("drives/" + drive.id);
  return {};
}

Result<void> VmController::put_net(NetConfig net, std::vector<UniqueFd> taps) {
  const std::string id = net.id;
  TRY(configured_.put_net(std::move(net), std::move(taps)));
  tell("network-interfaces/" + id);
  return {};
}

Result<void> VmController::put_vfio(VfioConfig device, std::vector<UniqueFd> descriptors) {
  const std::string id = device.id;
  TRY(configured_.put_vfio(std::move(device), std::move(descriptors)));
  tell("vfio-devices/" + id);
  return {};
}

Result<void> VmController::put_serial(SerialConfig serial) {
  TRY(configured_.put_serial(std::move(serial)));
  tell("serial");
  return {};
}

Result<void> VmController::put_cpu_config(std::vector<CpuidMask> cpuid) {
  configured_.config().cpuid = std::move(cpuid);
  if (launch_) launch_->prepare(config());
  tell("cpu-config");
  return {};
}

Result<void> VmController::put_logger(const LoggerConfig& logger) {
  if (!logger.path.empty()) {
    if (logs_.size() == kMostLogs) {
      return Error::config("the log has been moved to another file often enough");
    }
    auto file = LineFile::open(logger.path);
    if (!file) return configured_.in_reach(std::move(file).error());
    const LineFile& kept = logs_.emplace_back(*std::move(file));
    const LogFormat format =
        vm_.log_format == LogFormat::kPlain ? LogFormat::kFirecracker : vm_.log_format;
    set_log_output({.fd = kept.fd(),
                    .format = format,
                    .id = vm_.id,
                    .show_level = logger.show_level.value_or(false)});
  }
  set_log_level(logger.level.value_or(LogLevel::kInfo));
  return {};
}

Result<void> VmController::put_metrics(const MetricsConfig& metrics) {
  if (metrics_) return Error::config("Reinitialization of metrics not allowed.");
  std::string members;
  const auto add = [&](const std::string& text) {
    if (!members.empty()) members += ",";
    members += text;
  };
  if (metrics.emit_id) add(member("id", vm_.id));
  for (const auto& [name, value] : metrics.properties) add(member(name, value));
  auto writer = MetricsWriter::open(metrics.path, std::move(members));
  if (!writer) return configured_.in_reach(std::move(writer).error());
  metrics_timer_ = TRY(make_timer(kMetricsPeriodNs, kMetricsPeriodNs));
  http::Watcher& watcher = *this;
  server_->watch(metrics_timer_.get(), watcher);
  metrics_ = *std::move(writer);
  return flush_metrics();
}

Result<void> VmController::start() {
  if (code_) return Error::host("the process is about to end");
  VmConfig config = TRY(configured_.checked());
  timeline_.mark("start asked for");
  HostFiles files = TRY(configured_.share_files());
  if (!launch_) TRY(make_launch());
  Result<void> built = launch_->build(std::move(config), std::move(files));
  if (!built) {
    launch_.reset();
    prepare_launch();
    return built;
  }
  machine_ = &launch_->machine();
  // From here on signals are for the session: it hears them while this thread waits for the guest's
  // disks.
  server_->unwatch(vm_.signals.get());
  // Who breaks out later makes no VM of its own, and opens no tap; and what the machine lets go of
  // is to be free.
  vm_.system.reset();
  configured_.close_files();
  Result<void> ready = vm_.seal != nullptr ? vm_.seal(ThreadRole::kApi) : Result<void>();
  if (ready) {
    if (vm_.terminal != nullptr) vm_.terminal->begin();
    events_->publish("started");  // before: a guest may end at once
    ready = launch_->run();
  }
  if (!ready) {
    // Threads are sealed by now: there is no way back.
    log(LogLevel::kError, "%s", ready.error().message().c_str());
    code_ = ExitCode::kHostFailure;
    events_->publish("crashed", member("reason", ready.error().message()));
    server_->stop();
    return ready;
  }
  state_ = VmState::kRunning;
  return {};
}

Result<void> VmController::patch_drive(const DriveUpdate& update, UniqueFd file) {
  BlockConfig* const drive = find_drive(configured_.config().blocks, update.id);
  if (drive == nullptr) return Error::config("there is no drive '" + update.id + "'");
  virtio::Block& block = *machine_->disks().find(update.id);
  struct stat status{};
  if (!file && update.path && ::stat(update.path->c_str(), &status) == 0 && block.shows(status)) {
    block.look_at_size();
  } else if (update.path || file) {
    BlockConfig changed = *drive;
    changed.path = update.path.value_or("");
    TRY(block.exchange(TRY(configured_.open_image(changed, std::move(file)))));
    *drive = std::move(changed);
  }
  block.set_limits(rate_change(update.rate));
  change_rate(update.rate, drive->bandwidth, drive->operations);
  return {};
}

Result<void> VmController::patch_net(const NetUpdate& update) {
  NetConfig* const net = find_net(configured_.config().nets, update.id);
  if (net == nullptr) return Error::config("there is no network interface '" + update.id + "'");
  machine_->nets().find(update.id)->set_limits(rate_change(update.rx), rate_change(update.tx));
  change_rate(update.rx, net->rx_bandwidth, net->rx_frames);
  change_rate(update.tx, net->tx_bandwidth, net->tx_frames);
  return {};
}

Result<void> VmController::pause() {
  if (state_ == VmState::kPaused) return {};
  TRY(machine_->pause());
  state_ = VmState::kPaused;
  events_->publish("paused");
  return {};
}

Result<void> VmController::resume() {
  if (state_ == VmState::kRunning) return {};
  TRY(machine_->resume());
  state_ = VmState::kRunning;
  events_->publish("resumed");
  return {};
}

Result<void> VmController::send_ctrl_alt_del() {
  machine_->send_ctrl_alt_del();
  return {};
}

Result<void> VmController::flush_metrics() {
  if (!metrics_) return Error::config("there is no place for metrics: PUT /metrics names one");
  // A line that is lost is counted, and what it said is in the next one.
  static_cast<void>(metrics_->write([this](MetricsSink& sink) { collect(sink); }));
  return {};
}

void VmController::stop(u32 timeout_ms, api::Reply reply) {
  bool over = machine_ == nullptr;
  {
    const std::lock_guard guard(lock_);
    over = over || over_;
    if (!over) stop_replies_.push_back(reply);
  }
  if (over) reply.give({});
  if (machine_ == nullptr) return quit(ExitCode::kStopped);
  // A guest that is paused cannot do anything about it.
  const bool can_answer = state_ == VmState::kRunning && timeout_ms > 0;
  if (can_answer) machine_->send_ctrl_alt_del();
  launch_->session().finish_in(can_answer ? timeout_ms : 0, ExitCode::kStopped);
}

void VmController::collect(MetricsSink& sink) {
  sink.gauge("sandbox", {}, "enabled", vm_.sandboxed ? 1 : 0);
  sink.gauge("sandbox", {}, "filters", vm_.seal != nullptr ? 1 : 0);
  if (machine_ != nullptr && state_ != VmState::kNotStarted) machine_->collect(sink);
}

}  // namespace mote
