// SPDX-License-Identifier: Apache-2.0
// A request of the API: whatever path and body hold, there is a command or a reason, and what is
// taken obeys the rules. First byte: method; then the path up to a line feed; then the body.
#include "api/command.hpp"
#include "vmm/config/json_reader.hpp"
#include "vmm/config/resource_json.hpp"
#include "vmm/config/resource_rules.hpp"

using namespace mote;

namespace {

/// What was taken can be put into a VM, or is refused, and the VM can be shown.
struct Put {
  VmConfig& vm;
  void operator()(api::PutMachine& c) { note(change_machine(vm.machine, c.machine)); }
  void operator()(api::PutDrive& c) { note(put_drive(vm.blocks, std::move(c.drive))); }
  void operator()(api::PutNet& c) { note(put_net(vm.nets, std::move(c.net))); }
  void operator()(api::PutBootSource& c) { vm.kernel = std::move(c.kernel); }
  template <class T>
  void operator()(T&) {}
  static void note(const Result<void>& result) {
    CHECK(result || !result.error().message().empty(), "there is a reason");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(data + 1, data + size);
  http::Request request;
  request.method = static_cast<http::Method>(data[0] % 4);
  request.path = text.substr(0, text.find('\n'));
  request.body = text.substr(std::min(text.size(), request.path.size() + 1));
  VmConfig vm;
  auto command = api::parse_command(request);
  if (command) {
    std::visit(Put{vm}, *command);
    CHECK(vm.machine.vcpus >= 1 && vm.machine.vcpus <= kMaxVcpus, "vCPUs are in range");
    CHECK(vm.machine.memory_bytes > 0 && vm.machine.memory_bytes % kMiB == 0, "memory is MiB");
    CHECK(json::parse(vm_json(vm)).has_value(), "what is shown is JSON");
  } else {
    CHECK(!command.error().message().empty(), "there is a reason");
  }
  const auto config = read_json(request.body, "vm.json");
  CHECK(!config || json::parse(vm_json(config->vm)).has_value(), "what is shown is JSON");
  return 0;
}
