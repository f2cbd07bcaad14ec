// SPDX-License-Identifier: Apache-2.0
// From the parsed setup header of a bzImage to its protected-mode part in guest RAM.
#include "vmm/boot/bzimage_load.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "core/text.hpp"
#include "vmm/boot/bzimage_parse.hpp"
#include "vmm/boot/image_error.hpp"
#include "vmm/boot/memory_map.hpp"

namespace mote {

Result<PlacedKernel> load_bzimage(const GuestMemory& memory, const ImageSource& source,
                                  std::span<const std::byte> head) {
  const BzImage image = TRY(parse_bzimage(head, source.size()));
  const auto space = image_space(memory);
  if (!lies_within(space, image.load_address, image.memory_size)) {
    return refuse(format("pref_address 0x%lx and init_size 0x%lx leave the memory for images, %s",
                         image.load_address.raw(), image.memory_size, describe(space).c_str()),
                  "give the guest more memory");
  }
  PlacedKernel kernel;
  kernel.protocol = EntryProtocol::kLinux64;
  kernel.entry = Gpa(image.load_address.raw() + kBzImageEntry64);
  kernel.occupied = {{image.load_address, image.memory_size}};
  kernel.initrd_end = image.initrd_end;
  kernel.cmdline_size = std::min(image.cmdline_size, kMaxCmdline);
  kernel.header = image.header;
  const auto target = memory.slice(image.load_address, image.protected_size);
  CHECK(target, "a placement that was checked is in RAM");
  TRY(source.read_at(image.protected_offset, *target));
  return kernel;
}

}  // namespace mote
