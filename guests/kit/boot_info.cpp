// SPDX-License-Identifier: Apache-2.0
// Reads hvm_start_info or boot_params, then calls the guest. First vCPU.
#include "guests/kit/boot_info.hpp"

#include "guests/kit/cpu.hpp"
#include "guests/kit/power.hpp"

namespace kit {
namespace {

constexpr u16 kBootClock = 0xB00;
constexpr u8 kMarkMain = 2;

template <class T>
T load(u64 address) {
  T value;
  __builtin_memcpy(&value, reinterpret_cast<const void*>(address), sizeof(T));
  return value;
}

// [Xen, arch-x86/hvm/start_info.h]
BootInfo from_start_info(u64 start_info) {
  BootInfo info;
  info.protocol = BootProtocol::kPvh;
  const u32 version = load<u32>(start_info + 4);
  const u32 modules = load<u32>(start_info + 12);
  if (modules != 0) {
    const u64 list = load<u64>(start_info + 16);
    info.initrd = load<u64>(list);
    info.initrd_size = load<u64>(list + 8);
  }
  const u64 command_line = load<u64>(start_info + 24);
  if (command_line != 0) info.command_line = reinterpret_cast<const char*>(command_line);
  info.rsdp = load<u64>(start_info + 32);
  if (version >= 1) info.memory = {load<u64>(start_info + 40), load<u32>(start_info + 48), 24};
  return info;
}

// [boot.rst, zero-page.rst]
BootInfo from_boot_params(u64 boot_params) {
  BootInfo info;
  info.protocol = BootProtocol::kLinux64;
  info.initrd = load<u32>(boot_params + 0x218);
  info.initrd_size = load<u32>(boot_params + 0x21C);
  const u64 command_line = load<u32>(boot_params + 0x228);
  if (command_line != 0) info.command_line = reinterpret_cast<const char*>(command_line);
  info.rsdp = load<u64>(boot_params + 0x70);
  info.memory = {boot_params + 0x2D0, load<u8>(boot_params + 0x1E8), 20};
  return info;
}

BootInfo given;

extern "C" [[noreturn]] void kit_entry(u64 address, BootProtocol protocol) {
  out8(kBootClock, kMarkMain);
  given = protocol == BootProtocol::kPvh ? from_start_info(address) : from_boot_params(address);
  guest_main(given);
  power_off();
}

}  // namespace

const BootInfo& boot_info() {
  return given;
}

MemoryRange MemoryMap::operator[](u32 index) const {
  const u64 entry = address + u64{index} * stride;
  return {load<u64>(entry), load<u64>(entry + 8), load<u32>(entry + 16)};
}

u64 MemoryMap::ram_size() const {
  u64 total = 0;
  for (u32 i = 0; i < count; i++) {
    const MemoryRange range = (*this)[i];
    if (range.type == MemoryRange::kRam) total += range.size;
  }
  return total;
}

}  // namespace kit
