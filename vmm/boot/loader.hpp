// SPDX-License-Identifier: Apache-2.0
// The loader: kernel, initrd, command line and boot information into guest RAM. Called once per
// machine by the thread that builds it, before the first vCPU runs.
#pragma once

#include <optional>
#include <string_view>

#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "vmm/boot/image_source.hpp"
#include "vmm/boot/placed_kernel.hpp"

namespace mote {

/// Where the first vCPU begins.
struct LoadedKernel {
  EntryProtocol protocol = EntryProtocol::kPvh;
  Gpa entry;      ///< below 4 GiB
  Gpa boot_info;  ///< for ebx (kPvh) or rsi (kLinux64)
};

/// Loads `kernel` by the first of these that it is: a bzImage, an ELF with a PVH note, an ELF for
/// the 64-bit Linux boot protocol. `initrd` (or null) goes to the highest page that RAM below
/// 4 GiB and the kernel allow. `cmdline` is the final one, see `build_cmdline`; `rsdp` is handed
/// over where ACPI tables exist.
///
/// Precondition: `memory` begins at 0, has at least 1 MiB and has not been written to since it was
/// mapped; zeros (bss) are not written, so that no page is touched for them. For a second load
/// take fresh memory.
///
/// Errors: Fault::kImage when an image is refused (the message names file, field and value),
/// Fault::kConfig for the command line, Fault::kHost when reading fails.
Result<LoadedKernel> load_kernel(const GuestMemory& memory, const ImageSource& kernel,
                                 const ImageSource* initrd, std::string_view cmdline,
                                 std::optional<Gpa> rsdp);

}  // namespace mote
