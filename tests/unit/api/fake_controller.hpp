// SPDX-License-Identifier: Apache-2.0
// A controller without a VM: it keeps what it is told, by the rules that the real one has.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "api/controller.hpp"
#include "api/events.hpp"
#include "vmm/config/resource_rules.hpp"

namespace mote::api::test {

class FakeController : public Controller {
 public:
  VmState state() override { return current; }
  VmConfig config() override { return vm; }

  Result<void> put_boot_source(KernelConfig kernel) override {
    note("put_boot_source");
    if (::access(kernel.path.c_str(), R_OK) != 0) {
      return Error::from_errno(
          errno, "The kernel file cannot be opened: kernel '" + kernel.path + "': cannot be opened",
          "check the path and who may read it");
    }
    vm.kernel = std::move(kernel);
    return {};
  }
  Result<void> put_machine(const MachineUpdate& update) override {
    note("put_machine");
    return change_machine(vm.machine, update);
  }
  Result<void> put_drive(BlockConfig drive, UniqueFd file) override {
    note(file ? "put_drive with file" : "put_drive");
    return mote::put_drive(vm.blocks, std::move(drive));
  }
  Result<void> put_net(NetConfig net, std::vector<UniqueFd> taps) override {
    note("put_net with " + std::to_string(taps.size()));
    for (const UniqueFd& tap : taps) net.fds.push_back(tap.get());
    return mote::put_net(vm.nets, std::move(net));
  }
  Result<void> put_vfio(VfioConfig device, std::vector<UniqueFd> descriptors) override {
    note("put_vfio with " + std::to_string(descriptors.size()));
    return mote::put_vfio(vm.vfios, std::move(device));
  }
  Result<void> put_serial(SerialConfig serial) override {
    note("put_serial");
    vm.serial = std::move(serial);
    return {};
  }
  Result<void> put_cpu_config(std::vector<CpuidMask> cpuid) override {
    note("put_cpu_config");
    vm.cpuid = std::move(cpuid);
    return {};
  }
  Result<void> put_logger(const LoggerConfig&) override {
    note("put_logger");
    return {};
  }
  Result<void> put_metrics(const MetricsConfig&) override {
    note("put_metrics");
    if (std::exchange(has_metrics, true)) {
      return Error::config("Reinitialization of metrics not allowed.");
    }
    return {};
  }
  Result<void> start() override {
    note("start");
    if (fails) return Error::host("there is no KVM");
    return become(VmState::kRunning, "started");
  }

  Result<void> patch_drive(const DriveUpdate& update, UniqueFd file) override {
    note(file ? "patch_drive with file" : "patch_drive");
    BlockConfig* const drive = find_drive(vm.blocks, update.id);
    if (drive == nullptr) return Error::config("Device not found: " + update.id);
    if (update.path) drive->path = *update.path;
    change_rate(update.rate, drive->bandwidth, drive->operations);
    return {};
  }
  Result<void> patch_net(const NetUpdate& update) override {
    note("patch_net");
    NetConfig* const net = find_net(vm.nets, update.id);
    if (net == nullptr) return Error::config("Device not found: " + update.id);
    change_rate(update.rx, net->rx_bandwidth, net->rx_frames);
    change_rate(update.tx, net->tx_bandwidth, net->tx_frames);
    return {};
  }
  Result<void> pause() override {
    note("pause");
    return become(VmState::kPaused, "paused");
  }
  Result<void> resume() override {
    note("resume");
    return become(VmState::kRunning, "resumed");
  }
  Result<void> send_ctrl_alt_del() override {
    note("send_ctrl_alt_del");
    return {};
  }
  Result<void> flush_metrics() override {
    note("flush_metrics");
    return {};
  }

  std::vector<VfioDevice> vfios() override {
    std::vector<VfioDevice> devices;
    for (const VfioConfig& device : vm.vfios) {
      const bool started = state() != VmState::kNotStarted;
      devices.push_back({device, is_asked  ? VfioState::kAsked
                                 : started ? VfioState::kAttached
                                           : VfioState::kConfigured});
    }
    return devices;
  }
  /// A guest that is asked does not answer.
  void remove_vfio(const std::string& id, bool by_force, Reply reply) override {
    note(by_force ? "take " + id : "remove " + id);
    const VfioConfig* const device = find_vfio(vm.vfios, id);
    if (device == nullptr) {
      return reply.give(Error::config("there is no device of the host '" + id + "'"));
    }
    is_asked = state() != VmState::kNotStarted && !by_force;
    if (!is_asked) vm.vfios.erase(vm.vfios.begin() + (device - vm.vfios.data()));
    reply.give({});
  }
  void stop(u32 timeout_ms, Reply reply) override {
    note("stop within " + std::to_string(timeout_ms));
    reply.give(become(VmState::kNotStarted, "stopped"));
  }
  void collect(MetricsSink& sink) override { sink.counter("block", "rootfs", "read_bytes", 512); }
  std::string timeline() override { return R"({"traceEvents":[]})"; }

  VmState current = VmState::kNotStarted;
  VmConfig vm;
  bool fails = false;
  bool has_metrics = false;
  bool is_asked = false;  // for a device of the host
  EventLog* events = nullptr;
  std::vector<std::string> calls;  // since a test looked

 private:
  void note(std::string call) { calls.push_back(std::move(call)); }
  Result<void> become(VmState next, std::string_view event) {
    if (current != next && events != nullptr) events->publish(event);
    current = next;
    return {};
  }
};

}  // namespace mote::api::test
