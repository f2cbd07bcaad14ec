// SPDX-License-Identifier: Apache-2.0
#include "api/command.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "api/absent.hpp"

namespace mote::api {
namespace {

using http::Method;
using http::Request;
using json::Field;
using json::Need;
using json::Reader;
using json::Value;

/// What the path names: "drives" and "rootfs" of "/drives/rootfs", "force=true" behind a "?".
struct Target {
  std::string_view resource;
  std::string_view id;
  std::optional<std::string_view> query;
  bool has_id = false;
  bool is_longer = false;
};

Target target_of(std::string_view path) {
  const auto trim = [&] {
    while (path.starts_with('/')) path.remove_prefix(1);
  };
  const auto word = [&] {
    trim();
    const std::string_view first = path.substr(0, path.find('/'));
    path.remove_prefix(first.size());
    trim();
    return first;
  };
  Target target;
  if (const std::size_t end = path.find('?'); end != std::string_view::npos) {
    target.query = path.substr(end + 1);
    path = path.substr(0, end);
  }
  target.resource = word();
  target.has_id = !path.empty();
  target.id = word();
  target.is_longer = !path.empty();
  return target;
}

template <class T>
Result<T> read_body(const std::string& body, bool (*read)(Reader&, const Value&, T&)) {
  constexpr std::string_view kWhere =
      "An error occurred when deserializing the json body of a request";
  auto value = json::parse(body);
  if (!value) return Error::config(std::string(kWhere) + ": " + value.error().message() + ".");
  Reader reader;  // NOLINT(misc-const-correctness): `read` notes problems with it
  T result{};
  if (read(reader, *value, result)) return result;
  return Error::config(std::string(kWhere) + ": " + reader.error(body).message() + ".");
}

Result<void> check_id(const Target& target) {
  if (target.id.empty()) return Error::config("The ID cannot be empty.");
  const bool valid = std::all_of(target.id.begin(), target.id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (valid) return {};
  return Error::config(
      "API Resource IDs can only contain alphanumeric characters and underscores.");
}

Result<void> match_ids(std::string_view in_path, std::string_view in_body) {
  if (in_path == in_body) return {};
  return Error::config("The id from the path [" + std::string(in_path) +
                       "] does not match the id from the body [" +
                       std::string(in_body.substr(0, 64)) + "]!");
}

Error missing(std::string_view field) {
  return Error::config(
      "An error occurred when deserializing the json body of a request: missing field `" +
      std::string(field) + "`.");
}

// Bodies ------------------------------------------------------------------------------------------

struct Action {
  std::size_t type = 0;  // of kActions
  std::optional<u32> timeout_ms;
};

constexpr std::array<std::string_view, 4> kActions = {"FlushMetrics", "InstanceStart",
                                                      "SendCtrlAltDel", "Stop"};

constexpr Field<Action> kAction[] = {
    {"action_type", Need::kRequired,
     [](Reader& r, const Value& v, Action& t) { return r.read_variant(v, kActions, t.type); }},
    {"timeout_ms", Need::kOptional,
     [](Reader& r, const Value& v, Action& t) { return r.read(v, t.timeout_ms); }},
};

bool read_action(Reader& reader, const Value& value, Action& action) {
  return json::read_object(reader, value, "struct ActionBody", kAction, action);
}

constexpr Field<bool> kVmState[] = {
    {"state", Need::kRequired,
     [](Reader& r, const Value& v, bool& paused) {
       static constexpr std::array<std::string_view, 2> kNames = {"Paused", "Resumed"};
       return r.read_variant(v, kNames, std::array{true, false}, paused);
     }},
};

bool read_vm_state(Reader& reader, const Value& value, bool& paused) {
  return json::read_object(reader, value, "struct Vm", kVmState, paused);
}

// Operations --------------------------------------------------------------------------------------

Result<Command> get_events(const Request& request, const Target&) {
  const std::string& text = request.last_event_id;
  GetEvents events;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), events.after);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size())) {
    return Error::config("Last-Event-ID is not the id of an event.");
  }
  return Command{events};
}

Result<Command> patch_machine(const Request& request, const Target&) {
  const MachineUpdate update = TRY(read_body(request.body, &read_machine_update));
  const bool is_empty = !update.vcpus && !update.memory_mib && !update.smt &&
                        !update.track_dirty_pages && !update.huge_pages && !update.names_template;
  if (is_empty) return Error::config("Empty PATCH request.");
  return Command{PutMachine{update}};
}

Result<Command> put_drive(const Request& request, const Target& target) {
  BlockConfig drive = TRY(read_body(request.body, &read_drive));
  TRY(match_ids(target.id, drive.id));
  if (drive.path.empty() && request.descriptors.empty()) return missing("path_on_host");
  return Command{PutDrive{std::move(drive)}};
}

Result<Command> put_net(const Request& request, const Target& target) {
  NetConfig net = TRY(read_body(request.body, &read_net));
  TRY(match_ids(target.id, net.id));
  if (net.tap.empty() && request.descriptors.empty()) return missing("host_dev_name");
  return Command{PutNet{std::move(net)}};
}

Result<Command> get_vfio(const Request&, const Target& target) {
  if (!target.has_id) return Command{GetVfios{}};
  TRY(check_id(target));
  return Command{GetVfio{std::string(target.id)}};
}

Result<Command> put_vfio(const Request& request, const Target& target) {
  VfioConfig device = TRY(read_body(request.body, &read_vfio));
  TRY(match_ids(target.id, device.id));
  return Command{PutVfio{std::move(device)}};
}

Result<Command> delete_vfio(const Request&, const Target& target) {
  const bool by_force = target.query == "force=true";
  if (target.query && !by_force && target.query != "force=false") {
    return Error::config("Only 'force=true' or 'force=false' can stand behind the '?'.");
  }
  return Command{DeleteVfio{std::string(target.id), by_force}};
}

Result<Command> patch_drive(const Request& request, const Target& target) {
  DriveUpdate drive = TRY(read_body(request.body, &read_drive_update));
  TRY(match_ids(target.id, drive.id));
  return Command{PatchDrive{std::move(drive)}};
}

Result<Command> patch_net(const Request& request, const Target& target) {
  NetUpdate net = TRY(read_body(request.body, &read_net_update));
  TRY(match_ids(target.id, net.id));
  return Command{PatchNet{std::move(net)}};
}

Result<Command> patch_vm(const Request& request, const Target&) {
  if (TRY(read_body(request.body, &read_vm_state))) return Command{Pause{}};
  return Command{Resume{}};
}

Result<Command> put_action(const Request& request, const Target&) {
  const Action action = TRY(read_body(request.body, &read_action));
  const std::string_view type = kActions[action.type];
  if (action.timeout_ms && type != "Stop") {
    return Error::config("Only the action Stop has a timeout_ms.");
  }
  if (type == "FlushMetrics") return Command{FlushMetrics{}};
  if (type == "InstanceStart") return Command{Start{}};
  if (type == "SendCtrlAltDel") return Command{SendCtrlAltDel{}};
  Stop stop;
  if (action.timeout_ms) stop.timeout_ms = *action.timeout_ms;
  return Command{stop};
}

template <class T>
Result<Command> plain(const Request&, const Target&) {
  return Command{T{}};
}

/// For what is all in the body.
template <class T, auto kRead>
Result<Command> plain_body(const Request& request, const Target&) {
  return Command{T{TRY(read_body(request.body, kRead))}};
}

/// What few requests have.
struct Extras {
  std::size_t descriptors = 0;  ///< as many may come with it
  bool may_have_id = false;     ///< where it need not have one
  bool may_have_query = false;
};

struct Route {
  Method method;
  std::string_view resource;
  bool has_id;
  Result<Command> (*parse)(const Request& request, const Target& target);
  Extras extras = {};
};

/// A group or a device, and the address space that it is in.
constexpr std::size_t kVfioDescriptors = 2;

constexpr Route kRoutes[] = {
    {Method::kGet, "", false, &plain<GetInstance>},
    {Method::kGet, "version", false, &plain<GetVersion>},
    {Method::kGet, "vm", true, &plain<GetVmConfig>},  // vm/config
    {Method::kGet, "machine-config", false, &plain<GetMachine>},
    {Method::kGet, "vfio-devices", false, &get_vfio, {.may_have_id = true}},
    {Method::kGet, "metrics", false, &plain<GetMetrics>},
    {Method::kGet, "events", false, &get_events},
    {Method::kGet, "timeline", false, &plain<GetTimeline>},
    {Method::kPut, "boot-source", false, &plain_body<PutBootSource, &read_boot_source>},
    {Method::kPut, "machine-config", false, &plain_body<PutMachine, &read_machine>},
    {Method::kPatch, "machine-config", false, &patch_machine},
    {Method::kPut, "drives", true, &put_drive, {.descriptors = 1}},
    {Method::kPatch, "drives", true, &patch_drive, {.descriptors = 1}},
    {Method::kPut, "network-interfaces", true, &put_net, {.descriptors = kMaxNetQueues}},
    {Method::kPatch, "network-interfaces", true, &patch_net},
    {Method::kPut, "vfio-devices", true, &put_vfio, {.descriptors = kVfioDescriptors}},
    {Method::kDelete, "vfio-devices", true, &delete_vfio, {.may_have_query = true}},
    {Method::kPut, "serial", false, &plain_body<PutSerial, &read_serial>},
    {Method::kPut, "cpu-config", false, &plain_body<PutCpuConfig, &read_cpu_config>},
    {Method::kPut, "logger", false, &plain_body<PutLogger, &read_logger>},
    {Method::kPut, "metrics", false, &plain_body<PutMetrics, &read_metrics>},
    {Method::kPatch, "vm", false, &patch_vm},
    {Method::kPut, "actions", false, &put_action},
};

Error invalid(const Request& request) {
  return Error::config("Invalid request method and/or path: " +
                       std::string(http::method_name(request.method)) + " " + request.path + ".");
}

/// Whether there is a body just where the method has one.
Result<void> check_body(const Request& request) {
  const bool empty = request.body.empty();
  switch (request.method) {
    case Method::kGet:
      if (!empty) return Error::config("GET request cannot have a body.");
      break;
    case Method::kPut:
      if (empty) return Error::config("Empty PUT request.");
      break;
    case Method::kPatch:
      if (empty) return Error::config("Empty PATCH request.");
      break;
    case Method::kDelete:
      if (!empty) return Error::config("Empty Delete request.");
      break;
  }
  return {};
}

const Route* find_route(const Request& request, const Target& target) {
  for (const Route& route : kRoutes) {
    if (route.method != request.method || route.resource != target.resource) continue;
    const Extras& extras = route.extras;
    if (target.is_longer || (target.has_id && !route.has_id && !extras.may_have_id) ||
        (target.query && !extras.may_have_query)) {
      return nullptr;
    }
    if (route.resource == "vm" && route.has_id && target.id != "config") return nullptr;
    return &route;
  }
  return nullptr;
}

}  // namespace

Result<Command> parse_command(const Request& request) {
  const Target target = target_of(request.path);
  const std::string_view absent = why_absent(request.method, target.resource);
  if (!absent.empty()) return Error::config(std::string(absent));
  if (target.resource == "snapshot") return Command{Snapshot{}};
  TRY(check_body(request));
  const Route* const route = find_route(request, target);
  if (route == nullptr) return invalid(request);
  if (route->has_id) TRY(check_id(target));
  if (request.descriptors.size() > route->extras.descriptors) {
    return Error::config(route->extras.descriptors == 0
                             ? "This request takes no descriptors."
                             : "More descriptors came with the request than it takes.");
  }
  return route->parse(request, target);
}

namespace {

enum class Phase : u8 { kAlways, kBeforeStart, kAfterStart };

struct PhaseOf {
  // What only shows something, or concerns the process.
  Phase operator()(const GetInstance&) const { return Phase::kAlways; }
  Phase operator()(const GetVersion&) const { return Phase::kAlways; }
  Phase operator()(const GetVmConfig&) const { return Phase::kAlways; }
  Phase operator()(const GetMachine&) const { return Phase::kAlways; }
  Phase operator()(const GetVfios&) const { return Phase::kAlways; }
  Phase operator()(const GetVfio&) const { return Phase::kAlways; }
  Phase operator()(const DeleteVfio&) const { return Phase::kAlways; }
  Phase operator()(const GetMetrics&) const { return Phase::kAlways; }
  Phase operator()(const GetEvents&) const { return Phase::kAlways; }
  Phase operator()(const GetTimeline&) const { return Phase::kAlways; }
  Phase operator()(const Snapshot&) const { return Phase::kAlways; }
  Phase operator()(const Stop&) const { return Phase::kAlways; }
  // What needs a guest.
  Phase operator()(const PatchDrive&) const { return Phase::kAfterStart; }
  Phase operator()(const PatchNet&) const { return Phase::kAfterStart; }
  Phase operator()(const SendCtrlAltDel&) const { return Phase::kAfterStart; }
  Phase operator()(const FlushMetrics&) const { return Phase::kAfterStart; }
  Phase operator()(const Pause&) const { return Phase::kAfterStart; }
  Phase operator()(const Resume&) const { return Phase::kAfterStart; }
  // What makes one.
  template <class T>
  Phase operator()(const T&) const {
    return Phase::kBeforeStart;
  }
};

}  // namespace

Result<void> check_state(const Command& command, VmState state) {
  const Phase phase = std::visit(PhaseOf{}, command);
  const bool started = state != VmState::kNotStarted;
  if (phase == Phase::kBeforeStart && started) {
    return Error::config("The requested operation is not supported after starting the microVM.");
  }
  if (phase == Phase::kAfterStart && !started) {
    return Error::config("The requested operation is not supported before starting the microVM.");
  }
  return {};
}

}  // namespace mote::api
