// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/machine.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "vmm/arch/acpi.hpp"
#include "vmm/arch/cpu_state.hpp"
#include "vmm/arch/cpuid.hpp"
#include "vmm/arch/entry_tables.hpp"
#include "vmm/arch/layout.hpp"
#include "vmm/arch/mptable.hpp"
#include "vmm/boot/cmdline.hpp"
#include "vmm/boot/image_source.hpp"
#include "vmm/boot/loader.hpp"

namespace mote {
namespace {

/// RAM around the hole of the devices.
std::vector<GpaRange> ram_ranges(u64 size) {
  const u64 low = std::min(size, layout::kHoleStart.raw());
  std::vector<GpaRange> ranges = {{Gpa(0), low}};
  if (size > low) ranges.push_back({layout::kHoleEnd, size - low});
  return ranges;
}

Error below_ram() {
  return Error::config(
      "RAM ends below the tables that a guest starts with -- give it 1 MiB or more");
}

}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const VmConfig& config, EventLoop& loop,
                                                 Console& console, Timeline& timeline) {
  kvm::Vm vm = TRY(kvm::Vm::create());
  timeline.mark("VM created");
  GuestMemory memory = TRY(GuestMemory::create(ram_ranges(config.machine.memory_bytes),
                                               {.huge_pages = config.machine.huge_pages}));
  TRY(vm.set_memory(memory));
  timeline.mark("memory set");
  std::unique_ptr<Machine> machine(new Machine(loop, timeline, std::move(memory), std::move(vm)));
  TRY(machine->load(config));
  timeline.mark("image loaded");
  machine->board_.emplace(config.machine, machine->vm_, loop,
                          BoardSinks{.serial_output = console,
                                     .power = *machine,
                                     .boot_clock = *machine,
                                     .pic_output = *machine});
  TRY(machine->create_vcpus(config.machine));
  timeline.mark("vCPUs ready");
  console.start(machine->board_->serial());
  return machine;
}

Result<void> Machine::load(const VmConfig& config) {
  const ImageFile kernel = TRY(ImageFile::open("kernel", config.kernel.path));
  std::optional<ImageFile> initrd;
  if (!config.kernel.initrd.empty()) {
    initrd = TRY(ImageFile::open("initrd", config.kernel.initrd));
  }
  if (!memory_.write(layout::kMpTable,
                     arch::build_mptable(layout::kMpTable, config.machine.vcpus))) {
    return below_ram();
  }
  std::optional<Gpa> rsdp;
  if (config.machine.acpi) {
    rsdp = layout::kAcpi;
    const auto tables = arch::build_acpi(
        *rsdp, {.vcpu_count = config.machine.vcpus, .legacy = config.machine.legacy});
    if (!memory_.write(*rsdp, tables)) return below_ram();
  }
  const std::string cmdline = TRY(build_cmdline(config.kernel.cmdline, {}));
  kernel_ = TRY(load_kernel(memory_, kernel, initrd ? &*initrd : nullptr, cmdline, rsdp));
  const bool long_mode = kernel_.protocol == EntryProtocol::kLinux64;
  if (!arch::write_gdt(memory_, long_mode)) return below_ram();
  if (long_mode && !arch::write_identity_map(memory_)) return below_ram();
  return {};
}

Result<void> Machine::create_vcpus(const MachineConfig& config) {
  arch::CpuidTable cpuid = TRY(vm_.supported_cpuid());
  for (u32 id = 0; id < config.vcpus; ++id) {
    kvm::Vcpu vcpu = TRY(vm_.create_vcpu(id));
    if (id == 0) arch::normalize_cpuid(cpuid, config.vcpus, vcpu.tsc_khz());
    arch::set_cpuid_apic_id(cpuid, id);
    TRY(vcpu.set_cpuid(cpuid));
    TRY(vcpu.set_boot_msrs());
    if (id == 0) {
      TRY(vcpu.set_state(kernel_.protocol == EntryProtocol::kPvh
                             ? arch::pvh_entry_state(kernel_.entry.raw(), kernel_.boot_info)
                             : arch::linux64_entry_state(kernel_.entry.raw(), kernel_.boot_info)));
    }
    VcpuOwner& owner = *this;
    vcpus_.push_back(
        std::make_unique<VcpuThread>(std::move(vcpu), *board_, memory_, timeline_, owner));
  }
  return {};
}

Result<void> Machine::start(Completion on_end) {
  on_end_ = on_end;
  TRY(VcpuThread::prepare_kicks());
  // Number 0 last: it starts the others, which wait for it in KVM.
  for (auto vcpu = vcpus_.rbegin(); vcpu != vcpus_.rend(); ++vcpu) TRY((*vcpu)->start());
  return {};
}

void Machine::stop() {
  for (const auto& vcpu : vcpus_) vcpu->stop();
  for (const auto& vcpu : vcpus_) vcpu->join();
}

/// The first reason counts: later ones are its consequences.
void Machine::finish(End end) {
  const std::lock_guard lock(end_lock_);
  if (end_) return;
  end_ = std::move(end);
  timeline_.mark("guest ended");
  loop_.post(on_end_);
}

void Machine::on_triple_fault(u32 vcpu) {
  finish({EndKind::kTripleFault, format("vCPU %u: triple fault", vcpu)});
}

void Machine::on_vcpu_failure(std::string report) {
  finish({EndKind::kVcpuFailure, std::move(report)});
}

}  // namespace mote
