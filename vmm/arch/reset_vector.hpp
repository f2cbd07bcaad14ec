// SPDX-License-Identifier: Apache-2.0
// What lies where a BIOS would begin: a few instructions that reset the machine.
#pragma once

#include <array>

#include "core/types.hpp"

namespace mote::arch {

/// Real-mode code for layout::kResetVector. WHY: a Linux that has tried everything else, or that
/// believes in EFI and finds none, reboots by a jump to FFFF:0000, where without this nothing would
/// be and the guest would hang. It writes the ACPI reset register.
inline constexpr std::array<u8, 9> kResetVector = {
    0xba, 0x02, 0x06,  // mov dx, 602h
    0xb0, 0x01,        // mov al, 1
    0xee,              // out dx, al
    0xf4,              // hlt
    0xeb, 0xfd,        // jmp to the hlt
};

}  // namespace mote::arch
