// SPDX-License-Identifier: Apache-2.0
// Reads the setup header from a copy of the file's first bytes.
#include "vmm/boot/bzimage_parse.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/text.hpp"
#include "vmm/boot/image_error.hpp"

namespace mote {
namespace {

constexpr u64 kHeaderStart = 0x1f1;
/// The header's end is a byte at 0x201, counted from 0x202 [boot.rst, jump].
constexpr u64 kEndCountedFrom = 0x202;
constexpr u64 kInitSizeEnd = 0x264;
constexpr u16 kBootFlag = 0xaa55;
constexpr u32 kMagic = 0x53726448;  // "HdrS"
constexpr u16 kVersion212 = 0x020c;
constexpr u64 kSectorSize = 512;

setup_header copy_header(std::span<const std::byte> head, u64 end) {
  setup_header header{};
  const u64 size = std::min({end, kBzImageHead, u64{head.size()}}) - kHeaderStart;
  std::memcpy(&header, head.data() + kHeaderStart, size);
  return header;
}

}  // namespace

bool is_bzimage(std::span<const std::byte> head) {
  if (head.size() < kEndCountedFrom + sizeof(kMagic)) return false;
  const setup_header header = copy_header(head, head.size());
  return header.boot_flag == kBootFlag && header.header == kMagic;
}

Result<BzImage> parse_bzimage(std::span<const std::byte> head, u64 file_size) {
  if (head.size() < kInitSizeEnd) {
    return refuse(format("the setup header reaches to 0x%lx, but the file has 0x%lx bytes",
                         kInitSizeEnd, file_size));
  }
  if (!is_bzimage(head)) return refuse("the setup header does not begin with HdrS", kForeignImage);
  const u64 header_end = kEndCountedFrom + std::to_integer<u64>(head[kEndCountedFrom - 1]);
  const setup_header header = copy_header(head, header_end);
  if (header.version < kVersion212) {
    return refuse(format("version of the boot protocol is 0x%x, but a 64-bit entry is declared "
                         "from 0x%x on",
                         static_cast<u32>(header.version), static_cast<u32>(kVersion212)),
                  "give Linux 3.8 or later");
  }
  if (header_end < kInitSizeEnd) {
    return refuse(format("the setup header ends at 0x%lx, but init_size reaches to 0x%lx",
                         header_end, kInitSizeEnd));
  }
  if ((header.loadflags & LOADED_HIGH) == 0) {
    return refuse(format("loadflags is 0x%x without LOADED_HIGH: this is a zImage",
                         static_cast<u32>(header.loadflags)),
                  kForeignImage);
  }
  if ((header.xloadflags & XLF_KERNEL_64) == 0) {
    return refuse(format("xloadflags is 0x%x without XLF_KERNEL_64: the kernel has no 64-bit entry",
                         static_cast<u32>(header.xloadflags)),
                  "give an x86-64 kernel");
  }
  BzImage image;
  image.header = header;
  // 0 sectors mean 4, for the sake of very old kernels; the boot sector comes on top.
  const u64 setup_sectors = header.setup_sects == 0 ? 4 : header.setup_sects;
  image.protected_offset = (setup_sectors + 1) * kSectorSize;
  image.protected_size = u64{header.syssize} * 16;
  image.load_address = Gpa(header.pref_address);
  image.memory_size = header.init_size;
  image.initrd_end = u64{header.initrd_addr_max} + 1;
  image.cmdline_size = header.cmdline_size;
  if (image.protected_offset > file_size ||
      image.protected_size > file_size - image.protected_offset) {
    return refuse(
        format("syssize is 0x%x paragraphs from 0x%lx on, which reach beyond the end of "
               "the file at 0x%lx",
               header.syssize, image.protected_offset, file_size));
  }
  if (image.protected_size <= kBzImageEntry64) {
    return refuse(format("syssize is 0x%x paragraphs, but the 64-bit entry is at 0x%lx",
                         header.syssize, kBzImageEntry64));
  }
  if (image.memory_size < image.protected_size) {
    return refuse(format("init_size is 0x%lx, but the protected-mode part alone has 0x%lx bytes",
                         image.memory_size, image.protected_size));
  }
  return image;
}

}  // namespace mote
