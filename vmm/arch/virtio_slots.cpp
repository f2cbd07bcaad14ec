// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/virtio_slots.hpp"

#include "core/text.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote::arch {

static_assert(kMaxVirtioDevices == mote::kMaxVirtioDevices, "a configuration may ask for them");
static_assert(layout::kVirtioMmioStride == 4 * kKiB, "the word says so");
static_assert(layout::kVirtioMmio >= layout::kHoleStart &&
              layout::kVirtioMmio.raw() + kMaxVirtioDevices * layout::kVirtioMmioStride <=
                  layout::kIdentityMap.raw());

std::string virtio_word(u32 number) {
  const VirtioSlot slot = virtio_slot(number);
  return format("virtio_mmio.device=4K@0x%lx:%u", slot.address.raw(), index(slot.pin));
}

}  // namespace mote::arch
