// SPDX-License-Identifier: Apache-2.0
// Which requests there are, and what each is told that is none.
#include "api/command.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace mote::api {
namespace {

using http::Method;

http::Request request(Method method, std::string path, std::string body = {}) {
  http::Request result;
  result.method = method;
  result.path = std::move(path);
  result.body = std::move(body);
  return result;
}

template <class T>
T parse(const http::Request& request) {
  auto command = parse_command(request);
  EXPECT_TRUE(command) << request.path << ": " << command.error().message();
  if (!command || !std::holds_alternative<T>(*command)) {
    ADD_FAILURE() << request.path << " is another command";
    return {};
  }
  return std::get<T>(std::move(*command));
}

std::string problem(const http::Request& request) {
  const auto command = parse_command(request);
  return command ? "accepted" : command.error().message();
}

TEST(Command, ShowsThings) {
  parse<GetInstance>(request(Method::kGet, "/"));
  parse<GetInstance>(request(Method::kGet, ""));
  parse<GetVersion>(request(Method::kGet, "/version"));
  parse<GetVersion>(request(Method::kGet, "//version/"));
  parse<GetVmConfig>(request(Method::kGet, "/vm/config"));
  parse<GetMachine>(request(Method::kGet, "/machine-config"));
  parse<GetMetrics>(request(Method::kGet, "/metrics"));
  parse<GetTimeline>(request(Method::kGet, "/timeline"));
  http::Request events = request(Method::kGet, "/events");
  EXPECT_EQ(parse<GetEvents>(events).after, 0U);
  events.last_event_id = "12";
  EXPECT_EQ(parse<GetEvents>(events).after, 12U);
  events.last_event_id = "12x";
  EXPECT_EQ(problem(events), "Last-Event-ID is not the id of an event.");
}

TEST(Command, PutsThings) {
  const auto put = [](const char* path, const char* body) {
    return request(Method::kPut, path, body);
  };
  EXPECT_EQ(parse<PutBootSource>(put("/boot-source", R"({"kernel_image_path": "/k"})")).kernel.path,
            "/k");
  EXPECT_EQ(parse<PutMachine>(put("/machine-config", R"({"vcpu_count": 2, "mem_size_mib": 64})"))
                .machine.vcpus,
            2);
  EXPECT_EQ(parse<PutDrive>(put("/drives/a_1", R"({"drive_id": "a_1", "is_root_device": false,
                                                   "path_on_host": "/d"})"))
                .drive.path,
            "/d");
  EXPECT_EQ(
      parse<PutNet>(put("/network-interfaces/1", R"({"iface_id": "1", "host_dev_name": "tap0"})"))
          .net.tap,
      "tap0");
  EXPECT_EQ(parse<PutSerial>(put("/serial", R"({"serial_out_path": "/s"})")).serial.path, "/s");
  EXPECT_TRUE(parse<PutCpuConfig>(put("/cpu-config", "{}")).cpuid.empty());
  EXPECT_EQ(parse<PutLogger>(put("/logger", R"({"log_path": "/l"})")).logger.path, "/l");
  EXPECT_EQ(parse<PutMetrics>(put("/metrics", R"({"metrics_path": "/m"})")).metrics.path, "/m");
}

TEST(Command, NamesDevicesOfTheHost) {
  parse<GetVfios>(request(Method::kGet, "/vfio-devices"));
  EXPECT_EQ(parse<GetVfio>(request(Method::kGet, "/vfio-devices/nic")).id, "nic");
  const auto put = [](const char* path, const char* body) {
    return request(Method::kPut, path, body);
  };
  const char* const nic = R"({"id": "nic", "address": "01:10.0"})";
  EXPECT_EQ(parse<PutVfio>(put("/vfio-devices/nic", nic)).device.address,
            (PciAddress{0, 1, 0x10, 0}));
  EXPECT_EQ(problem(put("/vfio-devices/other", nic)),
            "The id from the path [other] does not match the id from the body [nic]!");
  EXPECT_NE(problem(put("/vfio-devices/nic", R"({"id": "nic", "address": "eth0"})")).find("eth0"),
            std::string::npos);
  EXPECT_EQ(problem(put("/vfio-devices", nic)), "The ID cannot be empty.");

  const auto remove = [](const char* path) { return request(Method::kDelete, path); };
  EXPECT_FALSE(parse<DeleteVfio>(remove("/vfio-devices/nic")).by_force);
  EXPECT_FALSE(parse<DeleteVfio>(remove("/vfio-devices/nic?force=false")).by_force);
  EXPECT_TRUE(parse<DeleteVfio>(remove("/vfio-devices/nic?force=true")).by_force);
  EXPECT_EQ(parse<DeleteVfio>(remove("/vfio-devices/nic/?force=true")).id, "nic");
  for (const char* path :
       {"/vfio-devices/nic?", "/vfio-devices/nic?force", "/vfio-devices/nic?a"}) {
    EXPECT_EQ(problem(remove(path)),
              "Only 'force=true' or 'force=false' can stand behind the '?'.");
  }
  EXPECT_EQ(problem(remove("/vfio-devices")), "The ID cannot be empty.");
  EXPECT_EQ(problem(request(Method::kGet, "/vfio-devices/nic?force=true")).substr(0, 14),
            "Invalid reques");
}

TEST(Command, ChangesThings) {
  const auto patch = [](const char* path, const char* body) {
    return request(Method::kPatch, path, body);
  };
  EXPECT_EQ(parse<PutMachine>(patch("/machine-config", R"({"smt": true})")).machine.smt, true);
  EXPECT_EQ(parse<PatchDrive>(patch("/drives/a", R"({"drive_id": "a", "path_on_host": "/n",
                                                     "rate_limiter": null})"))
                .drive.path,
            "/n");
  EXPECT_EQ(parse<PatchNet>(patch("/network-interfaces/1", R"({"iface_id": "1"})")).net.id, "1");
  parse<Pause>(patch("/vm", R"({"state": "Paused"})"));
  parse<Resume>(patch("/vm", R"({"state": "Resumed"})"));
}

TEST(Command, Acts) {
  const auto act = [](const char* body) { return request(Method::kPut, "/actions", body); };
  parse<Start>(act(R"({"action_type": "InstanceStart"})"));
  parse<SendCtrlAltDel>(act(R"({"action_type": "SendCtrlAltDel", "timeout_ms": null})"));
  parse<FlushMetrics>(act(R"({"action_type": "FlushMetrics"})"));
  EXPECT_EQ(parse<Stop>(act(R"({"action_type": "Stop"})")).timeout_ms, 10'000U);
  EXPECT_EQ(parse<Stop>(act(R"({"action_type": "Stop", "timeout_ms": 0})")).timeout_ms, 0U);
  EXPECT_EQ(problem(act(R"({"action_type": "InstanceStart", "timeout_ms": 5})")),
            "Only the action Stop has a timeout_ms.");
  EXPECT_EQ(
      problem(act(R"({"action_type": "Explode"})")),
      "An error occurred when deserializing the json body of a request: unknown variant "
      "`Explode`, expected one of `FlushMetrics`, `InstanceStart`, `SendCtrlAltDel`, `Stop` at "
      "line 1 column 25.");
}

TEST(Command, RefusesWhatIsNoRequest) {
  EXPECT_EQ(problem(request(Method::kGet, "/", "{}")), "GET request cannot have a body.");
  EXPECT_EQ(problem(request(Method::kPut, "/actions")), "Empty PUT request.");
  EXPECT_EQ(problem(request(Method::kPatch, "/vm")), "Empty PATCH request.");
  EXPECT_EQ(problem(request(Method::kPatch, "/machine-config", "{}")), "Empty PATCH request.");
  EXPECT_EQ(problem(request(Method::kDelete, "/x", "{}")), "Empty Delete request.");
  const auto invalid = [](Method method, const std::string& path, const char* body = "") {
    EXPECT_EQ(problem(request(method, path, body)),
              "Invalid request method and/or path: " + std::string(http::method_name(method)) +
                  " " + path + ".");
  };
  invalid(Method::kGet, "/nothing");
  invalid(Method::kGet, "/vm");
  invalid(Method::kGet, "/vm/other");
  invalid(Method::kGet, "/version/more");
  invalid(Method::kGet, "/machine-config?x=y");
  invalid(Method::kGet, "/actions");
  invalid(Method::kGet, "/drives/a");
  invalid(Method::kPut, "/vm/config", "{}");
  invalid(Method::kPut, "/drives/a/b", "{}");
  invalid(Method::kPatch, "/boot-source", "{}");
  invalid(Method::kDelete, "/machine-config");
}

TEST(Command, RefusesIds) {
  EXPECT_EQ(problem(request(Method::kPut, "/drives", "{}")), "The ID cannot be empty.");
  EXPECT_EQ(problem(request(Method::kPut, "/drives/", "{}")), "The ID cannot be empty.");
  for (const char* id : {"a-b", "a.b", "%61", "a b"}) {
    EXPECT_EQ(problem(request(Method::kPut, std::string("/drives/") + id, "{}")),
              "API Resource IDs can only contain alphanumeric characters and underscores.");
  }
  EXPECT_EQ(problem(request(Method::kPut, "/drives/a",
                            R"({"drive_id": "b", "is_root_device": true, "path_on_host": "/d"})")),
            "The id from the path [a] does not match the id from the body [b]!");
}

TEST(Command, SaysWhatMoteDoesNotHave) {
  for (const char* path : {"/vsock", "/balloon", "/balloon/statistics", "/entropy", "/pmem/a",
                           "/hotplug/memory", "/mmds", "/mmds/config"}) {
    for (const Method method : {Method::kGet, Method::kPut, Method::kPatch}) {
      EXPECT_EQ(problem(request(method, path, method == Method::kGet ? "" : "{}")).substr(0, 5),
                "Mote ")
          << path;
    }
  }
  EXPECT_EQ(problem(request(Method::kDelete, "/drives/a")),
            "Mote takes no device away from a guest.");
}

TEST(Command, KnowsASnapshotByAnyMethod) {
  for (const Method method : {Method::kGet, Method::kPut, Method::kPatch, Method::kDelete}) {
    parse<Snapshot>(request(method, "/snapshot/create", "{}"));
  }
  parse<Snapshot>(request(Method::kPut, "/snapshot/load", "no JSON"));
}

TEST(Command, TakesDescriptorsWhereTheyHaveAUse) {
  const auto with = [](std::size_t count, Method method, const char* path, const char* body) {
    http::Request result = request(method, path, body);
    for (std::size_t i = 0; i < count; ++i) {
      result.descriptors.emplace_back(::open("/dev/null", O_RDWR));
    }
    return result;
  };
  const char* const drive = R"({"drive_id": "a", "is_root_device": false})";
  const char* const net = R"({"iface_id": "a"})";
  EXPECT_EQ(problem(with(1, Method::kPut, "/drives/a", drive)), "accepted");
  EXPECT_EQ(problem(with(2, Method::kPut, "/drives/a", drive)),
            "More descriptors came with the request than it takes.");
  EXPECT_EQ(problem(with(8, Method::kPut, "/network-interfaces/a", net)), "accepted");
  const char* const device = R"({"id": "a", "address": "01:10.0"})";
  EXPECT_EQ(problem(with(2, Method::kPut, "/vfio-devices/a", device)), "accepted");
  EXPECT_EQ(problem(with(3, Method::kPut, "/vfio-devices/a", device)),
            "More descriptors came with the request than it takes.");
  EXPECT_EQ(problem(with(1, Method::kDelete, "/vfio-devices/a", "")),
            "This request takes no descriptors.");
  EXPECT_EQ(problem(with(1, Method::kGet, "/", "")), "This request takes no descriptors.");
  EXPECT_EQ(problem(with(0, Method::kPut, "/drives/a", drive)),
            "An error occurred when deserializing the json body of a request: missing field "
            "`path_on_host`.");
  EXPECT_EQ(problem(with(0, Method::kPut, "/network-interfaces/a", net)),
            "An error occurred when deserializing the json body of a request: missing field "
            "`host_dev_name`.");
}

}  // namespace
}  // namespace mote::api
