// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/machine.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "core/check.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "vmm/arch/acpi.hpp"
#include "vmm/arch/cpu_state.hpp"
#include "vmm/arch/cpuid.hpp"
#include "vmm/arch/entry_tables.hpp"
#include "vmm/arch/layout.hpp"
#include "vmm/arch/mptable.hpp"
#include "vmm/arch/reset_vector.hpp"
#include "vmm/boot/bzimage_parse.hpp"
#include "vmm/boot/cmdline.hpp"
#include "vmm/boot/elf_load.hpp"
#include "vmm/boot/elf_parse.hpp"
#include "vmm/boot/image_source.hpp"
#include "vmm/boot/loader.hpp"

namespace mote {
namespace {

/// Exits as metrics call them, with Firecracker's names where it has some.
constexpr struct {
  kvm::ExitKind kind;
  std::string_view name;
} kExitNames[] = {
    {kvm::ExitKind::kPortRead, "exit_io_in"},
    {kvm::ExitKind::kPortWrite, "exit_io_out"},
    {kvm::ExitKind::kMmioRead, "exit_mmio_read"},
    {kvm::ExitKind::kMmioWrite, "exit_mmio_write"},
    {kvm::ExitKind::kIoApicEoi, "exit_ioapic_eoi"},
    {kvm::ExitKind::kInterruptWindow, "exit_interrupt_window"},
    {kvm::ExitKind::kInterrupted, "exit_kicked"},
    {kvm::ExitKind::kFailure, "failures"},
};

Error below_ram() {
  return Error::config(
      "RAM ends below the tables that a guest starts with -- give it 1 MiB or more");
}

/// Whether the guest learns of its devices by mmio from ACPI; else its command line says where they
/// are. The choice is ours only where the configuration leaves it: a Linux that has
/// hardware-reduced ACPI knows interrupts by ACPI alone, while a unikernel reads its command line.
Result<bool> announces_by_acpi(const VmConfig& config, const ImageFile& kernel) {
  if (mmio_device_count(config) == 0 || !config.machine.acpi) return false;
  if (config.machine.announce != Announce::kAuto) return config.machine.announce == Announce::kAcpi;
  if (has_word(config.kernel.cmdline, "acpi=off")) return false;
  std::array<std::byte, kPageSize> buffer;
  const auto head = std::span(buffer).first(std::min<u64>(buffer.size(), kernel.size()));
  TRY(kernel.read_at(0, head));
  if (is_bzimage(head)) return true;
  // What is wrong with an image is for the loader to say.
  const auto is_linux = is_elf(head) ? is_linux_elf(kernel, head) : Result<bool>(false);
  return is_linux && *is_linux;
}

/// Image, boot information and tables into guest RAM.
Result<LoadedKernel> load(const GuestMemory& memory, const VmConfig& config,
                          const ImageFile& kernel, const ImageFile* initrd) {
  if (!memory.write(layout::kMpTable,
                    arch::build_mptable(layout::kMpTable, config.machine.vcpus))) {
    return below_ram();
  }
  if (!memory.write(layout::kResetVector, std::as_bytes(std::span(arch::kResetVector)))) {
    return below_ram();
  }
  const bool by_acpi = TRY(announces_by_acpi(config, kernel));
  std::optional<Gpa> rsdp;
  if (config.machine.acpi) {
    rsdp = layout::kAcpi;
    arch::AcpiOptions options = {.vcpu_count = config.machine.vcpus,
                                 .legacy = config.machine.legacy,
                                 .virtio_devices = by_acpi ? mmio_device_count(config) : 0};
    options.removable = places_of_passed(config);
    if (needs_pci(config)) options.pci_above_4g = layout::pci_above_4g(config.machine.memory_bytes);
    const auto tables = arch::build_acpi(*rsdp, options);
    if (!memory.write(*rsdp, tables)) return below_ram();
  }
  const std::string cmdline =
      TRY(build_cmdline(config.kernel.cmdline, virtio_words(config, by_acpi)));
  const LoadedKernel loaded = TRY(load_kernel(memory, kernel, initrd, cmdline, rsdp));
  const bool long_mode = loaded.protocol == EntryProtocol::kLinux64;
  if (!arch::write_gdt(memory, long_mode)) return below_ram();
  if (long_mode && !arch::write_identity_map(memory)) return below_ram();
  return loaded;
}

}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const VmConfig& config, PreparedVm vm,
                                                 HostFiles files,
                                                 std::span<const std::unique_ptr<IoThread>> io,
                                                 Timeline& timeline) {
  const LoadedKernel kernel =
      TRY(load(vm.memory, config, files.kernel, files.initrd ? &*files.initrd : nullptr));
  timeline.mark("image loaded");
  std::vector<EventLoop*> loops;
  for (const auto& thread : io) loops.push_back(TRY(thread->prepared())->loop);
  if (!vm.vcpus_set_up) TRY(vm.set_up_vcpus(TRY(io.front()->prepared())->cpuid, config.cpuid));
  std::vector<kvm::Vcpu> vcpus = std::move(vm.vcpus);
  std::unique_ptr<Machine> machine(new Machine(timeline, std::move(vm), *loops.front()));
  machine->kernel_ = kernel;
  machine->passed_ = std::move(files.devices);
  machine->console_ = std::make_unique<Console>(std::move(files.serial), machine->loop_, timeline);
  machine->board_.emplace(config.machine, machine->vm_, machine->loop_,
                          BoardSinks{.serial_output = *machine->console_,
                                     .power = *machine,
                                     .boot_clock = *machine,
                                     .pic_output = *machine});
  TRY(machine->take_vcpus(std::move(vcpus)));
  TRY(machine->create_devices(config, std::move(files.images), std::move(files.taps), loops));
  machine->console_->start(machine->board_->serial());
  timeline.mark("vCPUs ready");
  return machine;
}

/// The order is that of the slots.
Result<void> Machine::create_devices(const VmConfig& config, std::vector<virtio::BlockImage> images,
                                     std::vector<std::unique_ptr<virtio::Tap>> taps,
                                     std::span<EventLoop* const> loops) {
  disks_ = TRY(Disks::create(config, std::move(images), memory_, loops));
  nets_ = TRY(Nets::create(config, std::move(taps), memory_, loops));
  if (needs_pci(config)) board_->add_pci_bus(config.machine.memory_bytes);
  const auto attach = [&](virtio::Device& device, std::optional<Transport> transport) {
    return transports_.attach(device, transport.value_or(config.machine.transport), *board_, vm_,
                              memory_);
  };
  for (std::size_t i = 0; i < config.blocks.size(); ++i) {
    TRY(attach(*disks_.devices()[i], config.blocks[i].transport));
  }
  for (std::size_t i = 0; i < config.nets.size(); ++i) {
    TRY(attach(*nets_.devices()[i], config.nets[i].transport));
  }
  TRY(passed_.plug_in(*board_, vm_));
  if (passed_.empty()) return {};
  CHECK(passed_.place(0) == places_of_passed(config).first, "the guest was told of these places");
  unplug_.emplace(passed_, *board_, vm_, loop_);
  return {};
}

Result<void> Machine::take_vcpus(std::vector<kvm::Vcpu> vcpus) {
  TRY(vcpus.front().set_state(
      kernel_.protocol == EntryProtocol::kPvh
          ? arch::pvh_entry_state(kernel_.entry.raw(), kernel_.boot_info)
          : arch::linux64_entry_state(kernel_.entry.raw(), kernel_.boot_info)));
  VcpuOwner& owner = *this;
  for (kvm::Vcpu& vcpu : vcpus) {
    vcpus_.push_back(
        std::make_unique<VcpuThread>(std::move(vcpu), *board_, memory_, timeline_, owner));
  }
  return {};
}

Result<void> Machine::prepare_to_run(std::span<const std::unique_ptr<IoThread>> io, ThreadSeal seal,
                                     Completion on_end, const char* vcpu_name) {
  const auto name = [vcpu_name](std::size_t vcpu) { return format("%s%zu", vcpu_name, vcpu); };
  on_end_ = on_end;
  const ThreadRole role = passed_.empty() ? ThreadRole::kVcpu : ThreadRole::kVcpuVfio;
  TRY(VcpuThread::prepare_kicks());
  if (unplug_) TRY(unplug_->start(seal));
  for (std::size_t i = 1; i < vcpus_.size(); ++i) {
    TRY(vcpus_[i]->start(name(i).c_str(), seal, role));
  }
  set_thread_name(name(0).c_str());
  vcpus_.front()->adopt();
  if (seal != nullptr) TRY(seal(role));
  for (const auto& thread : io) TRY(thread->serving());
  for (std::size_t i = 1; i < vcpus_.size(); ++i) vcpus_[i]->wait_until_ready();
  return {};
}

void Machine::run() {
  vcpus_.front()->run();
}

/// The guest may end, or `stop` be called, at any moment of this: vCPUs that end are not waited
/// for, and nobody waits for queues of a machine that was stopped.
Result<void> Machine::pause() {
  const std::lock_guard guard(pause_lock_);
  for (const auto& vcpu : vcpus_) vcpu->pause();
  for (const auto& vcpu : vcpus_) vcpu->wait_until_at_rest();
  transports_.pause();
  return check_lives();
}

Result<void> Machine::resume() {
  const std::lock_guard guard(pause_lock_);
  TRY(check_lives());
  transports_.resume();
  for (const auto& vcpu : vcpus_) vcpu->resume();
  return {};
}

Result<void> Machine::check_lives() {
  const std::lock_guard lock(end_lock_);
  if (end_ || stopped_) return Error::host("the guest has ended");
  return {};
}

void Machine::collect(MetricsSink& sink) const {
  for (const auto& [kind, name] : kExitNames) {
    u64 count = 0;
    for (const auto& vcpu : vcpus_) count += vcpu->exits(kind);
    sink.counter("vcpu", {}, name, count);
  }
  disks_.collect(sink);
  nets_.collect(sink);
  const Serial::Counters serial = board_->serial().counters();
  sink.counter("uart", {}, "read_count", serial.received);
  sink.counter("uart", {}, "missed_read_count", serial.receive_dropped);
  sink.counter("uart", {}, "write_count", serial.sent);
  sink.counter("uart", {}, "missed_write_count", serial.send_dropped);
}

void Machine::send_ctrl_alt_del() {
  loop_.post(Completion::to<&Machine::press_ctrl_alt_del>(this));
}

void Machine::press_ctrl_alt_del(i32) {
  if (board_->i8042().send_ctrl_alt_del()) return;
  log(LogLevel::kWarn, "the guest has no keyboard in use: it does not hear of Ctrl-Alt-Del");
}

void Machine::stop() {
  {
    const std::lock_guard lock(end_lock_);
    stopped_ = true;
    transports_.abandon();
    for (const auto& vcpu : vcpus_) vcpu->stop();
  }
  for (const auto& vcpu : vcpus_) vcpu->wait();
}

/// The first reason counts: later ones are its consequences. The vCPUs are told here and not by the
/// loop, so that none goes on while it wakes up.
void Machine::finish(End end) {
  const std::lock_guard lock(end_lock_);
  if (end_ || stopped_) return;
  end_ = std::move(end);
  timeline_.mark("guest ended");
  loop_.post(on_end_);
  for (const auto& vcpu : vcpus_) vcpu->stop();
}

void Machine::on_triple_fault(u32 vcpu) {
  finish({EndKind::kTripleFault, format("vCPU %u: triple fault", vcpu)});
}

void Machine::on_seal_failure(std::string report) {
  finish({EndKind::kSealFailure, std::move(report)});
}

void Machine::on_vcpu_failure(std::string report) {
  finish({EndKind::kVcpuFailure, std::move(report)});
}

}  // namespace mote
