// SPDX-License-Identifier: Apache-2.0
// A VM's TOML file: whatever it holds, there is a configuration or a reason of one kind.
#include "vmm/config/size.hpp"
#include "vmm/config/toml_reader.hpp"
#include "vmm/config/validate.hpp"

using namespace mote;

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  const std::string text(data, data + size);
  const auto config = read_toml(text, "vms/vm.toml");
  if (!config) {
    CHECK(config.error().fault() == Fault::kConfig, "the file is to blame");
    CHECK(config.error().message().find('\0') == std::string::npos, "the message can be printed");
    return 0;
  }
  CHECK(config->machine.vcpus >= 1 && config->machine.vcpus <= kMaxVcpus, "vCPUs are in range");
  if (validate(*config)) {
    const u64 bytes = config->machine.memory_bytes;
    CHECK(bytes >= kMinMemory && bytes % kPageSize == 0, "memory is whole pages");
    CHECK(*parse_size(print_size(bytes)) == bytes, "sizes are read back");
  }
  return 0;
}
