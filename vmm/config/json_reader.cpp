// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/json_reader.hpp"

#include <vector>

#include "core/json/fields.hpp"
#include "vmm/config/resource_rules.hpp"
#include "vmm/config/text_file.hpp"

namespace mote {
namespace {

using json::Field;
using json::Need;
using json::Reader;
using json::Value;

/// The objects of the file; what they ask of each other is seen to behind.
struct Document {
  JsonConfig config;
  MachineUpdate machine;
  std::vector<BlockConfig> drives;
  std::vector<NetConfig> nets;
  std::vector<VfioConfig> devices;
};

template <class T>
bool read_list(Reader& r, const Value& v, bool (*read)(Reader&, const Value&, T&),
               std::vector<T>& list) {
  if (v.kind != json::Kind::kArray) return r.refuse_type(v, "a sequence");
  for (const json::Member& element : v.members) {
    if (!read(r, element.value, list.emplace_back())) return false;
  }
  return true;
}

bool read_cpu_file(Reader& r, const Value& v, std::vector<CpuidMask>& cpuid) {
  const auto text = read_text_file(v.text);
  if (!text) return r.refuse(text.error().message(), v.end);
  const auto value = json::parse(*text);
  if (!value) return r.refuse("'" + v.text + "': " + value.error().message(), v.end);
  Reader inner;
  if (read_cpu_config(inner, *value, cpuid)) return true;
  return r.refuse("'" + v.text + "': " + inner.error(*text).message(), v.end);
}

template <const char* kWhat>
bool refuse_device(Reader& r, const Value& v, Document&) {
  return r.refuse(std::string("Mote has no ") + kWhat, v.end);
}

constexpr char kVsock[] = "vsock device: connect guest and host by a network interface";
constexpr char kBalloon[] = "balloon device";
constexpr char kEntropy[] = "entropy device: the guest's CPU has RDRAND";
constexpr char kPmem[] = "pmem device: use a drive";
constexpr char kHotplug[] = "memory hot-plug";
constexpr char kMmds[] = "metadata service: serve it on the network interface's other end";

constexpr Field<Document> kDocument[] = {
    {"boot-source", Need::kRequired,
     [](Reader& r, const Value& v, Document& t) {
       return read_boot_source(r, v, t.config.vm.kernel);
     }},
    {"machine-config", Need::kOptional,
     [](Reader& r, const Value& v, Document& t) { return read_machine(r, v, t.machine); }},
    {"cpu-config", Need::kOptional,
     [](Reader& r, const Value& v, Document& t) {
       return v.kind == json::Kind::kString ? read_cpu_file(r, v, t.config.vm.cpuid)
                                            : read_cpu_config(r, v, t.config.vm.cpuid);
     }},
    {"drives", Need::kOptional,
     [](Reader& r, const Value& v, Document& t) { return read_list(r, v, &read_drive, t.drives); }},
    {"network-interfaces", Need::kOptional,
     [](Reader& r, const Value& v, Document& t) { return read_list(r, v, &read_net, t.nets); }},
    {"vfio-devices", Need::kOptional,
     [](Reader& r, const Value& v, Document& t) { return read_list(r, v, &read_vfio, t.devices); }},
    {"logger", Need::kOptional,
     [](Reader& r, const Value& v, Document& t) {
       return read_logger(r, v, t.config.logger.emplace());
     }},
    {"metrics", Need::kOptional,
     [](Reader& r, const Value& v, Document& t) {
       return read_metrics(r, v, t.config.metrics.emplace());
     }},
    {"vsock", Need::kOptional, &refuse_device<kVsock>},
    {"balloon", Need::kOptional, &refuse_device<kBalloon>},
    {"entropy", Need::kOptional, &refuse_device<kEntropy>},
    {"pmem", Need::kOptional,
     [](Reader& r, const Value& v, Document& t) {
       return (v.kind == json::Kind::kArray && v.members.empty()) || refuse_device<kPmem>(r, v, t);
     }},
    {"memory-hotplug", Need::kOptional, &refuse_device<kHotplug>},
    {"mmds-config", Need::kOptional, &refuse_device<kMmds>},
};

/// Puts together what each object has by itself.
Result<JsonConfig> assemble(Document document) {
  VmConfig& vm = document.config.vm;
  TRY(change_machine(vm.machine, document.machine));
  for (BlockConfig& drive : document.drives) {
    if (drive.path.empty()) {
      return Error::config("drive '" + drive.id + "' has no path_on_host");
    }
    TRY(put_drive(vm.blocks, std::move(drive)));
  }
  for (NetConfig& net : document.nets) TRY(put_net(vm.nets, std::move(net)));
  for (VfioConfig& device : document.devices) TRY(put_vfio(vm.vfios, std::move(device)));
  return std::move(document.config);
}

}  // namespace

Result<JsonConfig> read_json(std::string_view text, std::string_view file_name) {
  const auto value = json::parse(text);
  if (!value) return Error(value.error()).within(file_name);
  Reader reader;
  Document document;
  if (!json::read_object(reader, *value, "struct VmmConfig", kDocument, document,
                         json::Unknown::kIgnore)) {
    return reader.error(text).within(file_name);
  }
  auto config = assemble(std::move(document));
  if (!config) return std::move(config).error().within(file_name);
  return config;
}

Result<JsonConfig> read_json_file(const std::string& path) {
  const std::string text = TRY(read_text_file(path));
  if (text.size() > kMaxConfigFile) {
    return Error::config("'" + path + "' is larger than 1MiB, which no JSON file of a VM is");
  }
  return read_json(text, path);
}

}  // namespace mote
