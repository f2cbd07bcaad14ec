// SPDX-License-Identifier: Apache-2.0
// The machine: owns everything of one VM from its memory to its threads.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/event_loop.hpp"
#include "core/guest_memory.hpp"
#include "core/metrics.hpp"
#include "core/result.hpp"
#include "vmm/boot/loader.hpp"
#include "vmm/config/vm_config.hpp"
#include "vmm/kvm/vm.hpp"
#include "vmm/machine/board.hpp"
#include "vmm/machine/console.hpp"
#include "vmm/machine/disks.hpp"
#include "vmm/machine/host_files.hpp"
#include "vmm/machine/io_thread.hpp"
#include "vmm/machine/nets.hpp"
#include "vmm/machine/passed_devices.hpp"
#include "vmm/machine/prepared_vm.hpp"
#include "vmm/machine/timeline.hpp"
#include "vmm/machine/unplug.hpp"
#include "vmm/machine/vcpu_thread.hpp"
#include "vmm/machine/virtio_devices.hpp"

namespace mote {

/// How a VM came to its end.
enum class EndKind {
  kPowerOff,     ///< the guest switched itself off
  kReset,        ///< the guest asked for a reset
  kTripleFault,  ///< the guest's exception tables were of no use
  kVcpuFailure,  ///< KVM cannot go on with a vCPU
  kSealFailure,  ///< a vCPU's thread could not be confined
};

struct End {
  EndKind kind = EndKind::kPowerOff;
  std::string report;  ///< for people; empty when there is nothing to add
};

/// Built by one thread, on which vCPU 0 then runs; the other vCPUs and the event loop have threads
/// of their own.
class Machine final : private PowerSink,
                      private BootClockSink,
                      private PicOutput,
                      private VcpuOwner {
 public:
  /// Loads the image into `vm` and prepares devices and every vCPU; opens nothing. `io` and
  /// `timeline` outlive the machine. The loops are those of `io`, which have been made ready but do
  /// not run yet; the first one also serves console and timers, and has asked for CPUID. Kernel,
  /// initrd and command line come first: when one of them is refused, `io` serves another try.
  static Result<std::unique_ptr<Machine>> create(const VmConfig& config, PreparedVm vm,
                                                 HostFiles files,
                                                 std::span<const std::unique_ptr<IoThread>> io,
                                                 Timeline& timeline);
  ~Machine() override { stop(); }

  EventLoop& loop() { return loop_; }
  Console& console() { return *console_; }
  Disks& disks() { return disks_; }
  Nets& nets() { return nets_; }
  /// How devices of the host leave; null where there are none.
  Unplug* unplug() { return unplug_ ? &*unplug_ : nullptr; }

  /// All that comes before the first instruction: starts the threads of the further vCPUs, has
  /// `seal` confine each vCPU's thread, the calling one for vCPU 0, and waits for those of `io`,
  /// which have been told to run their loops. An Error: the guest does not run. `on_end` is called
  /// once, on the loop's thread, when the guest has ended itself or cannot go on; `end` tells how.
  /// Threads are called `vcpu_name` and their vCPU's number, the calling one in messages only.
  Result<void> prepare_to_run(std::span<const std::unique_ptr<IoThread>> io, ThreadSeal seal,
                              Completion on_end, const char* vcpu_name = "vcpu");
  /// Runs the guest: vCPU 0 on the thread that prepared it, until it has ended or `stop`.
  void run();
  /// Brings the vCPUs to rest, then the devices' queues, and returns when they are. Timers of the
  /// machine go on, and interrupts wait for `resume`. An Error: the guest has ended, or does so
  /// meanwhile. May be repeated. After `prepare_to_run`, when `run` is sure to follow; any thread
  /// but the vCPUs' and the loops'.
  Result<void> pause();
  /// Lets them go on. An Error: the guest has ended before. May be repeated; threads as `pause`.
  Result<void> resume();
  /// Stops all vCPUs and waits for that, also when they rest. Not on a vCPU's thread.
  void stop();
  /// Shows what has been counted since the machine was made: groups "vcpu" and "uart". Any thread.
  void collect(MetricsSink& sink) const;
  /// Presses these keys of the guest's keyboard. Any thread; once the loops run.
  void send_ctrl_alt_del();
  /// Set from the moment `on_end` is called.
  const std::optional<End>& end() const { return end_; }

 private:
  Machine(Timeline& timeline, PreparedVm vm, EventLoop& loop)
      : loop_(loop), timeline_(timeline), memory_(std::move(vm.memory)), vm_(std::move(vm.vm)) {}

  Result<void> create_devices(const VmConfig& config, std::vector<virtio::BlockImage> images,
                              std::vector<std::unique_ptr<virtio::Tap>> taps,
                              std::span<EventLoop* const> loops);
  Result<void> take_vcpus(std::vector<kvm::Vcpu> vcpus);
  void finish(End end);
  Result<void> check_lives();
  void press_ctrl_alt_del(i32);

  void power_off() override { finish({EndKind::kPowerOff, {}}); }
  void reset() override { finish({EndKind::kReset, {}}); }
  void mark(u8 number) override { timeline_.guest_mark(number); }
  void interrupt_requested() override { vcpus_.front()->kick(); }
  void on_triple_fault(u32 vcpu) override;
  void on_vcpu_failure(std::string report) override;
  void on_seal_failure(std::string report) override;

  EventLoop& loop_;
  Timeline& timeline_;
  // ORDER: guest RAM outlives the VM that has it mapped, the VM outlives the devices that send it
  // interrupts, and the devices outlive the threads that call them.
  GuestMemory memory_;
  kvm::Vm vm_;
  PassedDevices passed_;  // reach the memory, and are reached by the board
  std::unique_ptr<Console> console_;
  std::optional<Board> board_;
  Disks disks_;
  Nets nets_;
  VirtioTransports transports_;
  std::optional<Unplug> unplug_;
  LoadedKernel kernel_;
  std::mutex
      end_lock_;  // guards the two below, and that nobody signals a vCPU thread once it is joined
  std::optional<End> end_;
  bool stopped_ = false;
  std::mutex pause_lock_;  // one pause or resume at a time; nobody who stops or ends takes it
  Completion on_end_;
  std::vector<std::unique_ptr<VcpuThread>> vcpus_;
};

}  // namespace mote
