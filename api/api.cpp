// SPDX-License-Identifier: Apache-2.0
#include "api/api.hpp"

#include <ctime>

#include "core/clock.hpp"
#include "core/json/writer.hpp"
#include "core/log.hpp"
#include "core/pci_address.hpp"
#include "vmm/config/resource_json.hpp"

namespace mote::api {
namespace {

using http::Response;

Response show(std::string body) {
  return {.status = 200, .body = std::move(body)};
}

Response outcome(const Result<void>& result) {
  return result ? Response{} : http::fault(result.error().message());
}

const char* state_name(VmState state) {
  switch (state) {
    case VmState::kNotStarted:
      return "Not started";
    case VmState::kRunning:
      return "Running";
    case VmState::kPaused:
      return "Paused";
  }
  return "?";
}

const char* state_name(VfioState state) {
  switch (state) {
    case VfioState::kConfigured:
      return "Configured";
    case VfioState::kAttached:
      return "Attached";
    case VfioState::kAsked:
      return "Removal asked";
  }
  return "?";
}

/// The method as the log spells it.
const char* log_name(http::Method method) {
  switch (method) {
    case http::Method::kGet:
      return "Get";
    case http::Method::kPut:
      return "Put";
    case http::Method::kPatch:
      return "Patch";
    case http::Method::kDelete:
      return "Delete";
  }
  return "?";
}

}  // namespace

void Reply::give(const Result<void>& result) const {
  server_->respond(ticket_, outcome(result));
}

struct Api::Execute {
  using Answer = std::optional<Response>;

  Answer operator()(GetInstance&) { return show(api.instance_json()); }
  Answer operator()(GetVersion&) { return show(api.version_json()); }
  Answer operator()(GetVmConfig&) { return show(vm_json(vm.config())); }
  Answer operator()(GetMachine&) { return show(machine_json(vm.config().machine)); }
  Answer operator()(GetVfios&) {
    std::string list;
    for (const VfioDevice& device : vm.vfios()) {
      list += (list.empty() ? "" : ",") + vfio_json(device.config, state_name(device.state));
    }
    return show("[" + list + "]");
  }
  Answer operator()(GetVfio& command) {
    for (const VfioDevice& device : vm.vfios()) {
      if (device.config.id != command.id) continue;
      return show(vfio_json(device.config, state_name(device.state)));
    }
    return http::fault("there is no device of the host '" + command.id + "'");
  }
  Answer operator()(GetMetrics&) {
    return Response{
        .status = 200, .body = api.metrics_text(), .content_type = "text/plain; version=0.0.4"};
  }
  Answer operator()(GetEvents& command) {
    return Response{.status = 200, .stream = &api.events_, .cursor = command.after};
  }
  Answer operator()(GetTimeline&) { return show(vm.timeline()); }

  Answer operator()(PutBootSource& command) {
    return outcome(vm.put_boot_source(std::move(command.kernel)));
  }
  Answer operator()(PutMachine& command) {
    Response response = outcome(vm.put_machine(command.machine));
    response.deprecated = command.machine.names_template;
    return response;
  }
  Answer operator()(PutDrive& command) {
    return outcome(vm.put_drive(std::move(command.drive), take_file()));
  }
  Answer operator()(PutNet& command) {
    return outcome(vm.put_net(std::move(command.net), std::move(descriptors)));
  }
  Answer operator()(PutVfio& command) {
    return outcome(vm.put_vfio(std::move(command.device), std::move(descriptors)));
  }
  Answer operator()(DeleteVfio& command) {
    vm.remove_vfio(command.id, command.by_force, Reply(*api.server_, ticket));
    return std::nullopt;
  }
  Answer operator()(PutSerial& command) {
    return outcome(vm.put_serial(std::move(command.serial)));
  }
  Answer operator()(PutCpuConfig& command) {
    return outcome(vm.put_cpu_config(std::move(command.cpuid)));
  }
  Answer operator()(PutLogger& command) { return outcome(vm.put_logger(command.logger)); }
  Answer operator()(PutMetrics& command) { return outcome(vm.put_metrics(command.metrics)); }

  Answer operator()(PatchDrive& command) {
    return outcome(vm.patch_drive(command.drive, take_file()));
  }
  Answer operator()(PatchNet& command) { return outcome(vm.patch_net(command.net)); }

  Answer operator()(Start&) {
    if (vm.config().kernel.path.empty()) {
      return http::fault("Start microvm error: Cannot start microvm without kernel configuration.");
    }
    Result<void> started = vm.start();
    if (started) return Response{};
    return http::fault("Start microvm error: " + started.error().message());
  }
  Answer operator()(Stop& command) {
    vm.stop(command.timeout_ms, Reply(*api.server_, ticket));
    return std::nullopt;
  }
  Answer operator()(SendCtrlAltDel&) { return outcome(vm.send_ctrl_alt_del()); }
  Answer operator()(FlushMetrics&) { return outcome(vm.flush_metrics()); }
  Answer operator()(Pause&) { return outcome(vm.pause()); }
  Answer operator()(Resume&) { return outcome(vm.resume()); }

  /// WHY never with devices of the host: their state is in hardware that nobody can read.
  Answer operator()(Snapshot&) {
    std::string names;
    for (const VfioDevice& device : vm.vfios()) {
      names += (names.empty() ? "" : ", ") + device.config.id + " (" +
               print_pci_address(device.config.address.value()) + ")";
    }
    const std::string_view why = "Mote takes and loads no snapshots yet";
    if (names.empty()) return http::fault(std::string(why) + ".");
    return http::fault(std::string(why) +
                       ", and never of a guest that has devices of the host: " + names + ".");
  }

  UniqueFd take_file() { return descriptors.empty() ? UniqueFd() : std::move(descriptors.front()); }

  Api& api;
  Controller& vm;
  u64 ticket;
  std::vector<UniqueFd> descriptors;
};

std::optional<Response> Api::handle(http::Request request, u64 ticket) {
  const u64 begin = clock_ns(CLOCK_MONOTONIC) / 1000;
  const char* const method = log_name(request.method);
  if (request.body.empty()) {
    log(LogLevel::kInfo, "The API server received a %s request on \"%s\".", method,
        request.path.c_str());
  } else {
    log(LogLevel::kInfo, "The API server received a %s request on \"%s\" with body \"%s\".", method,
        request.path.c_str(), request.body.c_str());
  }
  std::optional<Response> response = answer(request, ticket);
  ++requests_;
  if (response && response->status >= 400) {
    ++refused_;
    log(LogLevel::kInfo, "Received Error. Status code: %d Bad Request. Message: %s",
        response->status, response->body.c_str());
  } else if (response) {
    log(LogLevel::kInfo, "The request was executed successfully. Status code: %d %s.",
        response->status, response->status == 204 ? "No Content" : "OK");
  }
  log(LogLevel::kDebug, "Total previous API call duration: %lu us.",
      clock_ns(CLOCK_MONOTONIC) / 1000 - begin);
  return response;
}

std::optional<Response> Api::answer(http::Request& request, u64 ticket) {
  auto command = parse_command(request);
  if (!command) return http::fault(command.error().message());
  const auto allowed = check_state(*command, controller_.state());
  if (!allowed) return http::fault(allowed.error().message());
  return std::visit(Execute{*this, controller_, ticket, std::move(request.descriptors)}, *command);
}

std::string Api::instance_json() {
  json::Writer out;
  out.begin_object().key("id").string(identity_.id);
  out.key("state").string(state_name(controller_.state()));
  out.key("vmm_version").string(identity_.version);
  out.key("app_name").string(identity_.app_name);
  return out.end_object().take();
}

std::string Api::version_json() const {
  json::Writer out;
  out.begin_object().key("firecracker_version").string(identity_.firecracker_version);
  out.key("mote_version").string(identity_.version);
  return out.end_object().take();
}

std::string Api::metrics_text() {
  PrometheusText text;
  text.counter("api", {}, "requests", requests_);
  text.counter("api", {}, "refused_requests", refused_);
  text.counter("log", {}, "lost_lines", log_lines_lost());
  controller_.collect(text);
  return text.take();
}

}  // namespace mote::api
