// SPDX-License-Identifier: Apache-2.0
// The bzImage parser, on a file that is all in memory.
#include "vmm/boot/bzimage_parse.hpp"

using namespace mote;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto image = parse_bzimage(file, size);
  if (!image) return 0;
  CHECK(is_bzimage(file), "what is parsed is recognised");
  CHECK(file.subspan(image->protected_offset, image->protected_size).size() > kBzImageEntry64,
        "the entry lies in the file");
  CHECK(image->memory_size >= image->protected_size, "the kernel has memory for itself");
  return 0;
}
