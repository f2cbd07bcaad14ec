// SPDX-License-Identifier: Apache-2.0
// A function of the host whose device is not to be trusted either: its configuration space and the
// sizes of its BARs are the input's first bytes. Behind them a guest's accesses to configuration
// space and BARs, and interrupts of the device.
#include <algorithm>

#include "devices/vfio/function.hpp"
#include "tests/fuzz/accesses.hpp"
#include "tests/unit/devices/vfio/fake_function.hpp"
#include "tests/unit/devices/vfio/fake_lines.hpp"

using namespace mote;

namespace {

/// One byte each: the lower half is the size, 0 or 16 bytes to 256 KiB, of which bit 7 says that
/// nothing is mappable.
constexpr std::size_t kHead = pci::ConfigSpace::kSize + pci::kBarCount;

std::unique_ptr<test::FakeFunction> device_of(std::span<const u8> head) {
  auto device = std::make_unique<test::FakeFunction>();
  std::copy_n(head.begin(), device->config.size(), device->config.begin());
  for (u32 bar = 0; bar < pci::kBarCount; ++bar) {
    const u8 shape = head[device->config.size() + bar];
    const u32 flags = device->config[0x10 + 4 * bar];
    device->set_bar(bar, shape % 16 == 0 ? 0 : u64{8} << shape % 16, flags & 0xf);
    if ((shape & 0x80) != 0) device->bars[bar].mappable.clear();
  }
  return device;
}

void check(const vfio::Function& function, const test::FakeFunction& device) {
  CHECK((device.config[0x04] & 2) != 0, "memory decoding stays on");
  for (const vfio::Function::Direct& part : function.direct()) {
    CHECK(part.area.end() <= device.bars[part.bar].size, "what is mapped is the device's");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* bytes, std::size_t size) {
  std::span<const u8> data(bytes, size);
  if (data.size() < kHead) return 0;
  auto owned = device_of(data.first(kHead));
  data = data.subspan(kHead);
  test::FakeFunction& device = *owned;
  test::FakeLines lines;
  auto made = vfio::Function::create(std::move(owned));
  if (!made) return 0;
  vfio::Function& function = **made;
  const pci::Bars bars = function.bars();
  CHECK(function.connect(lines).has_value(), "there are interrupts for it");
  for (u32 bar = 0; bar < pci::kBarCount; ++bar) {
    if (bars[bar].size != 0) function.place_bar(bar, Gpa(u64{bar + 1} << 24));
  }
  const u32 identity = device.config[0] | u32{device.config[1]} << 8;
  for (Access access{}; take_access(data, access);) {
    std::byte buffer[8] = {};
    const std::span words(buffer, access.width);
    store_le(words, access.value);
    const bool is_write = (access.operation & 1) != 0;
    const u32 bar = access.operation / 8 % pci::kBarCount;
    switch (access.operation / 2 % 4) {
      case 0:
        lines.kept[access.offset % function.vectors()] = true;
        break;
      case 1: {
        const std::span word = words.first(std::min<std::size_t>(words.size(), 4));
        if (access.offset % 4 + word.size() > 4) break;
        const u32 offset = access.offset;
        is_write ? function.write_config(offset, word) : function.read_config(offset, word);
        break;
      }
      default: {
        if (bars[bar].size == 0) break;
        const u64 offset = (access.value >> 8) % (bars[bar].size - access.width + 1);
        is_write ? function.write_bar(bar, offset, words) : function.read_bar(bar, offset, words);
      }
    }
    check(function, device);
  }
  std::byte id[2] = {};
  function.read_config(0, id);
  CHECK(load_le(id) == identity, "who the function is stays");
  return 0;
}
