// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/virtio_ssdt.hpp"

#include <span>

#include "core/check.hpp"
#include "core/text.hpp"
#include "vmm/arch/table_bytes.hpp"
#include "vmm/arch/virtio_slots.hpp"

// Made from virtio_ssdt.asl at build time: unsigned char virtio_ssdt_aml_code[].
#include "virtio_ssdt.hex"

namespace mote::arch {
namespace {

constexpr std::size_t kHeaderSize = 36;

// What stands in the pattern where a device's own values go.
constexpr u8 kName[4] = {'V', 'I', 'R', 'T'};
constexpr u8 kNumber[6] = {'_', 'U', 'I', 'D', 0x0a, 0xa5};  // name, BytePrefix, value
constexpr u32 kAddress = 0xa5a5a5a5;
constexpr u32 kInterrupt = 0x5a5a5a5a;

}  // namespace

// WHY by bytes: a device's term names its parent by an absolute path, so a table is a header and a
// row of terms of one length. No length of a package changes, and no interpreter is needed.
std::vector<std::byte> build_virtio_ssdt(u32 count) {
  CHECK(count >= 1 && count <= kMaxVirtioDevices, "there is a place for each virtio device");
  const auto pattern = std::as_bytes(std::span(virtio_ssdt_aml_code));
  const auto device = pattern.subspan(kHeaderSize);
  const std::size_t name = find_mark(device, kName);
  const std::size_t number = find_mark(device, kNumber) + sizeof(kNumber) - 1;
  const std::size_t address = find_mark(device, kAddress);
  const std::size_t interrupt = find_mark(device, kInterrupt);

  std::vector<std::byte> table(pattern.begin(), pattern.begin() + kHeaderSize);
  table.reserve(kHeaderSize + count * device.size());
  for (u32 n = 0; n < count; ++n) {
    const VirtioSlot slot = virtio_slot(n);
    table.insert(table.end(), device.begin(), device.end());
    const auto term = std::span(table).last(device.size());
    const std::string digits = format("%02X", n);
    term[name + 2] = static_cast<std::byte>(digits[0]);
    term[name + 3] = static_cast<std::byte>(digits[1]);
    term[number] = static_cast<std::byte>(n);
    overwrite(term, address, static_cast<u32>(slot.address.raw()));
    overwrite(term, interrupt, index(slot.pin));
  }
  return table;
}

}  // namespace mote::arch
