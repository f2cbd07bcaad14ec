// SPDX-License-Identifier: Apache-2.0
// The 64-bit Linux boot protocol: boot_params (the "zero page"), to which rsi points at the entry.
#pragma once

#include <asm/bootparam.h>

#include "core/guest_memory.hpp"
#include "vmm/boot/boot_info.hpp"

namespace mote {

/// The setup header for an ELF, which brings none: what programs check before they believe the
/// rest (boot flag 0xAA55, "HdrS", a protocol version).
setup_header plain_setup_header();

/// Writes boot_params to layout::kBootParams [boot.rst 64-bit; zero-page.rst]. `header` is the
/// image's own, or `plain_setup_header()`; the fields that a boot loader fills in are filled in.
void write_boot_params(const GuestMemory& memory, const setup_header& header, const BootInfo& info);

}  // namespace mote
