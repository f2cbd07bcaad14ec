// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/cpu_state.hpp"

#include "vmm/arch/entry_tables.hpp"
#include "vmm/arch/layout.hpp"

namespace mote::arch {
namespace {

constexpr u64 kCr0ProtectedMode = 1u << 0;
constexpr u64 kCr0ExtensionType = 1u << 4;
constexpr u64 kCr0Paging = u64{1} << 31;
constexpr u64 kCr4PhysicalAddressExtension = 1u << 5;
constexpr u64 kEferLongModeEnable = 1u << 8;
constexpr u64 kEferLongModeActive = 1u << 10;

constexpr u8 kTypeCode = 0xb;      // execute/read, accessed
constexpr u8 kTypeData = 0x3;      // read/write, accessed
constexpr u8 kTypeTaskBusy = 0xb;  // 32- or 64-bit TSS, busy

CpuState flat_state() {
  CpuState state;
  state.code = {.selector = kCodeSelector,
                .limit = 0xffffffff,
                .type = kTypeCode,
                .default_big = true,
                .granularity = true};
  state.data = {.selector = kDataSelector,
                .limit = 0xffffffff,
                .type = kTypeData,
                .default_big = true,
                .granularity = true};
  state.task = {
      .selector = kTaskSelector, .limit = 0x67, .type = kTypeTaskBusy, .code_or_data = false};
  state.gdt = layout::kGdt;
  state.gdt_limit = kGdtSize - 1;
  state.cr0 = kCr0ProtectedMode | kCr0ExtensionType;
  return state;
}

}  // namespace

CpuState pvh_entry_state(u64 entry, Gpa start_info) {
  CpuState state = flat_state();
  state.rip = entry;
  state.rbx = start_info.raw();
  return state;
}

CpuState linux64_entry_state(u64 entry, Gpa boot_params) {
  CpuState state = flat_state();
  state.code.default_big = false;
  state.code.long_mode = true;
  state.cr0 |= kCr0Paging;
  state.cr3 = layout::kPml4.raw();
  state.cr4 = kCr4PhysicalAddressExtension;
  state.efer = kEferLongModeEnable | kEferLongModeActive;
  state.rip = entry;
  state.rsi = boot_params.raw();
  // A stack for programs that call before they set their own: below the page tables, growing down.
  state.rsp = layout::kPml4.raw();
  return state;
}

}  // namespace mote::arch
