// SPDX-License-Identifier: Apache-2.0
#include "vmm/kvm/vcpu.hpp"

#include <algorithm>
#include <atomic>

#include "core/text.hpp"
#include "vmm/kvm/ioctl.hpp"
#include "vmm/kvm/table.hpp"

namespace mote::kvm {
namespace {

constexpr u32 kMsrMiscEnable = 0x1a0;
constexpr u32 kMsrMtrrDefaultType = 0x2ff;
/// Fast strings on; branch trace and precise sampling are not available [SDM 4 IA32_MISC_ENABLE].
constexpr u64 kMiscEnable = (1u << 0) | (1u << 11) | (1u << 12);
/// Memory type ranges on, write-back unless one says otherwise [SDM 3A 12.11.2.1].
constexpr u64 kMtrrWriteBack = (1u << 11) | 6;

kvm_segment to_kvm(const arch::Segment& segment) {
  kvm_segment result{};
  result.base = segment.base;
  result.limit = segment.limit;
  result.selector = segment.selector;
  result.type = segment.type & 0xf;
  result.present = segment.present;
  result.dpl = segment.dpl & 3;
  result.db = segment.default_big;
  result.s = segment.code_or_data;
  result.l = segment.long_mode;
  result.g = segment.granularity;
  return result;
}

/// The code at `rip` in hexadecimal, through the guest's own page tables; empty when it is not in
/// RAM.
std::string instruction_bytes(const UniqueFd& vcpu, u64 rip, const GuestMemory& memory) {
  constexpr std::size_t kLongestInstruction = 15;
  kvm_translation translation{};
  translation.linear_address = rip;
  if (::ioctl(vcpu.get(), KVM_TRANSLATE, &translation) != 0 || translation.valid == 0) return {};
  std::string text;
  for (u64 i = 0; i < kLongestInstruction; ++i) {
    const auto gpa = Gpa(translation.physical_address).checked_add(i);
    u8 byte = 0;
    if (!gpa || !memory.load(*gpa, byte)) break;
    text += format("%s%02x", text.empty() ? "" : " ", byte);
  }
  return text;
}

struct InternalError {
  std::string what;
  std::string cause;
};

InternalError explain_internal_error(u32 suberror) {
  switch (suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
      return {
          "KVM could not emulate an instruction",
          "the guest runs code from where there is no RAM, or this host runs guest ring 0 in an "
          "emulator that lacks the instruction ('mote doctor' tells)"};
    case KVM_INTERNAL_ERROR_SIMUL_EX:
      return {"two exceptions at once", "the guest's exception tables are broken"};
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
      return {"an event could not be delivered",
              "the guest's exception tables or stack lie outside RAM"};
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
      return {"an exit that KVM does not know", "a newer processor than the host's KVM supports"};
    default:
      return {format("internal error %u", suberror), "a defect of the host's KVM"};
  }
}

}  // namespace

Vcpu::Vcpu(u32 id, UniqueFd fd, Mapping run) : id_(id), fd_(std::move(fd)), run_(std::move(run)) {}

volatile kvm_run& Vcpu::shared() const {
  return *reinterpret_cast<volatile kvm_run*>(run_.data());
}

u32 Vcpu::tsc_khz() const {
  const int khz = ::ioctl(fd_.get(), KVM_GET_TSC_KHZ, 0);
  return khz > 0 ? static_cast<u32>(khz) : 0;
}

Result<void> Vcpu::set_cpuid(std::span<const arch::CpuidEntry> entries) {
  MOTE_UNINITIALIZED Table<kvm_cpuid_entry2, 256> table;
  const std::size_t count = std::min(entries.size(), table.kCapacity);
  table.count = static_cast<u32>(count);
  for (std::size_t i = 0; i < count; ++i) {
    const arch::CpuidEntry& e = entries[i];
    const u32 flags = e.has_index ? u32{KVM_CPUID_FLAG_SIGNIFCANT_INDEX} : 0;
    table.entries[i] = {e.function, e.index, flags, e.eax, e.ebx, e.ecx, e.edx, {}};
  }
  TRY(kvm_ioctl(fd_, KVM_TABLE_REQUEST(KVM_SET_CPUID2), &table));
  return {};
}

Result<void> Vcpu::set_boot_msrs() {
  Table<kvm_msr_entry, 2> table;
  table.count = 2;
  table.entries[0] = {kMsrMiscEnable, 0, kMiscEnable};
  table.entries[1] = {kMsrMtrrDefaultType, 0, kMtrrWriteBack};
  const int set = TRY(kvm_ioctl(fd_, KVM_TABLE_REQUEST(KVM_SET_MSRS), &table));
  if (set != 2) {
    return Error::host(
        format("KVM_SET_MSRS refused MSR 0x%x of vCPU %u -- this host's KVM is not "
               "supported",
               table.entries[static_cast<std::size_t>(set)].index, id_));
  }
  return {};
}

Result<void> Vcpu::set_state(const arch::CpuState& state) {
  kvm_sregs special{};
  TRY(kvm_ioctl(fd_, KVM_REQUEST(KVM_GET_SREGS), &special));
  special.cs = to_kvm(state.code);
  special.ds = special.es = special.fs = special.gs = special.ss = to_kvm(state.data);
  special.tr = to_kvm(state.task);
  special.gdt.base = state.gdt.raw();
  special.gdt.limit = state.gdt_limit;
  special.idt.base = 0;
  special.idt.limit = 0;
  special.cr0 = state.cr0;
  special.cr3 = state.cr3;
  special.cr4 = state.cr4;
  special.efer = state.efer;
  TRY(kvm_ioctl(fd_, KVM_REQUEST(KVM_SET_SREGS), &special));
  kvm_regs general{};
  general.rflags = 2;  // the bit that is always one
  general.rip = state.rip;
  general.rbx = state.rbx;
  general.rsi = state.rsi;
  general.rsp = state.rsp;
  TRY(kvm_ioctl(fd_, KVM_REQUEST(KVM_SET_REGS), &general));
  return {};
}

Result<Exit> Vcpu::run() {
  if (::ioctl(fd_.get(), KVM_RUN, 0) < 0) {
    if (errno == EINTR || errno == EAGAIN) return Exit{};
    return Error::from_errno(errno, format("KVM_RUN failed (vCPU %u)", id_));
  }
  auto& shared = *reinterpret_cast<kvm_run*>(run_.data());
  Exit exit;
  switch (shared.exit_reason) {
    case KVM_EXIT_IO: {
      exit.kind =
          shared.io.direction == KVM_EXIT_IO_IN ? ExitKind::kPortRead : ExitKind::kPortWrite;
      exit.address = shared.io.port;
      exit.width = shared.io.size;
      exit.count = shared.io.count;
      const u64 bytes = u64{exit.width} * exit.count;
      CHECK(shared.io.data_offset <= run_.size() && bytes <= run_.size() - shared.io.data_offset,
            "KVM puts port data into the mapping");
      exit.data = {run_.data() + shared.io.data_offset, bytes};
      break;
    }
    case KVM_EXIT_MMIO:
      exit.kind = shared.mmio.is_write ? ExitKind::kMmioWrite : ExitKind::kMmioRead;
      exit.address = shared.mmio.phys_addr;
      exit.width = std::min<u32>(shared.mmio.len, sizeof(shared.mmio.data));
      exit.count = 1;
      exit.data = std::as_writable_bytes(std::span(shared.mmio.data, exit.width));
      break;
    case KVM_EXIT_IOAPIC_EOI:
      exit.kind = ExitKind::kIoApicEoi;
      exit.vector = shared.eoi.vector;
      break;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
      exit.kind = ExitKind::kInterruptWindow;
      break;
    case KVM_EXIT_SHUTDOWN:
      exit.kind = ExitKind::kShutdown;
      break;
    case KVM_EXIT_INTR:
      exit.kind = ExitKind::kInterrupted;
      break;
    default:
      exit.kind = ExitKind::kFailure;
      break;
  }
  return exit;
}

bool Vcpu::can_inject() const {
  return shared().ready_for_interrupt_injection != 0;
}

void Vcpu::want_interrupt_window(bool wanted) {
  shared().request_interrupt_window = wanted;
}

Result<void> Vcpu::inject(u8 vector) {
  kvm_interrupt request{};
  request.irq = vector;
  TRY(kvm_ioctl(fd_, KVM_REQUEST(KVM_INTERRUPT), &request));
  return {};
}

void Vcpu::tell_of_pause() const {
  // EINVAL says that this guest does not ask kvm-clock.
  ::ioctl(fd_.get(), KVM_KVMCLOCK_CTRL, 0);
}

void Vcpu::request_exit() {
  shared().immediate_exit = 1;
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void Vcpu::clear_exit_request() {
  shared().immediate_exit = 0;
  // ORDER: whoever set the flag wrote its reason before; the caller looks for reasons after this.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

std::string Vcpu::describe_failure(const GuestMemory& memory) const {
  const auto& shared = *reinterpret_cast<const kvm_run*>(run_.data());
  std::string text = format("vCPU %u stopped", id_);
  kvm_regs general{};
  if (::ioctl(fd_.get(), KVM_GET_REGS, &general) == 0) {
    text += format(" at rip 0x%llx", general.rip);
    const std::string code = instruction_bytes(fd_, general.rip, memory);
    text += code.empty() ? ", where there is no RAM" : ", instruction bytes " + code;
  }
  std::string cause;
  if (shared.exit_reason == KVM_EXIT_INTERNAL_ERROR) {
    InternalError error = explain_internal_error(shared.internal.suberror);
    text += ": " + error.what;
    cause = std::move(error.cause);
  } else if (shared.exit_reason == KVM_EXIT_FAIL_ENTRY) {
    text += format(": the processor refused to enter the guest (hardware reason 0x%llx)",
                   shared.fail_entry.hardware_entry_failure_reason);
    cause = "registers that the processor does not accept, or nested virtualization switched off";
  } else {
    text += format(": exit reason %u", shared.exit_reason);
    cause = "something that Mote does not offer a guest";
  }
  return text + " -- likely cause: " + cause;
}

}  // namespace mote::kvm
