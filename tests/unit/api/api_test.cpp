// SPDX-License-Identifier: Apache-2.0
// Every operation in every state, and what answers look like.
#include "api/api.hpp"

#include "tests/unit/api/fake_controller.hpp"
#include "tests/unit/api/http/server_fixture.hpp"

namespace mote::api {
namespace {

using http::Method;
using test::FakeController;

struct Operation {
  const char* name;
  Method method;
  const char* path;
  const char* body;
  const char* call;  ///< of the controller; empty: none
  bool before;       ///< has its time before the start
  bool after;        ///< has its time while there is a guest
};

constexpr Operation kOperations[] = {
    {"instance", Method::kGet, "/", "", "", true, true},
    {"version", Method::kGet, "/version", "", "", true, true},
    {"config", Method::kGet, "/vm/config", "", "", true, true},
    {"machine", Method::kGet, "/machine-config", "", "", true, true},
    {"metrics", Method::kGet, "/metrics", "", "", true, true},
    {"events", Method::kGet, "/events", "", "", true, true},
    {"timeline", Method::kGet, "/timeline", "", "", true, true},
    {"put boot source", Method::kPut, "/boot-source", R"({"kernel_image_path": "/dev/null"})",
     "put_boot_source", true, false},
    {"put machine", Method::kPut, "/machine-config", R"({"vcpu_count": 1, "mem_size_mib": 64})",
     "put_machine", true, false},
    {"patch machine", Method::kPatch, "/machine-config", R"({"vcpu_count": 2})", "put_machine",
     true, false},
    {"put drive", Method::kPut, "/drives/new",
     R"({"drive_id": "new", "is_root_device": false, "path_on_host": "/d"})", "put_drive", true,
     false},
    {"put net", Method::kPut, "/network-interfaces/new",
     R"({"iface_id": "new", "host_dev_name": "tap9"})", "put_net with 0", true, false},
    {"devices", Method::kGet, "/vfio-devices", "", "", true, true},
    {"device", Method::kGet, "/vfio-devices/old", "", "", true, true},
    {"put device", Method::kPut, "/vfio-devices/new", R"({"id": "new", "address": "0000:01:10.2"})",
     "put_vfio with 0", true, false},
    {"put serial", Method::kPut, "/serial", R"({"serial_out_path": "/s"})", "put_serial", true,
     false},
    {"put cpu", Method::kPut, "/cpu-config", "{}", "put_cpu_config", true, false},
    {"put logger", Method::kPut, "/logger", "{}", "put_logger", true, false},
    {"put metrics", Method::kPut, "/metrics", R"({"metrics_path": "/m"})", "put_metrics", true,
     false},
    {"start", Method::kPut, "/actions", R"({"action_type": "InstanceStart"})", "start", true,
     false},
    {"patch drive", Method::kPatch, "/drives/old", R"({"drive_id": "old"})", "patch_drive", false,
     true},
    {"patch net", Method::kPatch, "/network-interfaces/old", R"({"iface_id": "old"})", "patch_net",
     false, true},
    {"pause", Method::kPatch, "/vm", R"({"state": "Paused"})", "pause", false, true},
    {"resume", Method::kPatch, "/vm", R"({"state": "Resumed"})", "resume", false, true},
    {"ctrl-alt-del", Method::kPut, "/actions", R"({"action_type": "SendCtrlAltDel"})",
     "send_ctrl_alt_del", false, true},
    {"flush", Method::kPut, "/actions", R"({"action_type": "FlushMetrics"})", "flush_metrics",
     false, true},
    {"vsock", Method::kPut, "/vsock", "{}", "", false, false},
    {"snapshot", Method::kPut, "/snapshot/create", "{}", "", false, false},
    {"unplug", Method::kDelete, "/drives/old", "", "", false, false},
};

/// A VM with a kernel, a drive and an interface, in some state.
struct Setting {
  explicit Setting(VmState state) {
    controller.current = state;
    controller.vm.kernel.path = "/dev/null";
    controller.vm.blocks = {{.id = "old", .path = "/old"}};
    controller.vm.nets = {{.id = "old", .tap = "tap0"}};
    controller.vm.vfios = {{.address = PciAddress{0, 1, 0x10, 0}, .id = "old"}};
  }
  http::Response ask(Method method, const char* path, const char* body = "") {
    http::Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    controller.calls.clear();
    return api.handle(std::move(request), 1).value_or(http::Response{.status = 0});
  }

  FakeController controller;
  Api api{{.id = "vm1", .version = "0.1.0", .firecracker_version = "1.16.1"}, controller};
};

TEST(Api, AnswersEachOperationInEachState) {
  for (const VmState state : {VmState::kNotStarted, VmState::kRunning, VmState::kPaused}) {
    for (const Operation& operation : kOperations) {
      Setting setting(state);
      const http::Response response = setting.ask(operation.method, operation.path, operation.body);
      const bool started = state != VmState::kNotStarted;
      const std::string where = std::string(operation.name) + (started ? " after" : " before");
      if (started ? operation.after : operation.before) {
        EXPECT_EQ(response.status, operation.method == Method::kGet ? 200 : 204)
            << where << response.body;
        EXPECT_EQ(response.body.empty(),
                  operation.method != Method::kGet || response.stream != nullptr)
            << where;
        const std::vector<std::string> calls = {operation.call};
        EXPECT_EQ(setting.controller.calls,
                  *operation.call == '\0' ? std::vector<std::string>{} : calls)
            << where;
      } else {
        EXPECT_EQ(response.status, 400) << where;
        EXPECT_TRUE(setting.controller.calls.empty()) << where;
        if (!operation.before && !operation.after) {
          EXPECT_EQ(response.body.substr(0, 23), "{\"fault_message\":\"Mote ") << where;
        } else {
          EXPECT_EQ(response.body,
                    std::string("{\"fault_message\":\"The requested operation is not supported ") +
                        (started ? "after" : "before") + " starting the microVM.\"}")
              << where;
        }
      }
    }
  }
}

TEST(Api, ShowsTheInstance) {
  Setting setting(VmState::kNotStarted);
  EXPECT_EQ(setting.ask(Method::kGet, "/").body,
            R"({"id":"vm1","state":"Not started","vmm_version":"0.1.0","app_name":"Mote"})");
  setting.controller.current = VmState::kRunning;
  EXPECT_NE(setting.ask(Method::kGet, "/").body.find("\"Running\""), std::string::npos);
  setting.controller.current = VmState::kPaused;
  EXPECT_NE(setting.ask(Method::kGet, "/").body.find("\"Paused\""), std::string::npos);
  EXPECT_EQ(setting.ask(Method::kGet, "/version").body,
            R"({"firecracker_version":"1.16.1","mote_version":"0.1.0"})");
}

TEST(Api, ShowsDevicesOfTheHost) {
  Setting setting(VmState::kNotStarted);
  EXPECT_EQ(setting.ask(Method::kGet, "/vfio-devices/old").body,
            R"({"id":"old","address":"0000:01:10.0","state":"Configured"})");
  setting.controller.current = VmState::kRunning;
  EXPECT_EQ(setting.ask(Method::kGet, "/vfio-devices").body,
            R"([{"id":"old","address":"0000:01:10.0","state":"Attached"}])");
  setting.controller.is_asked = true;
  EXPECT_EQ(setting.ask(Method::kGet, "/vfio-devices/old").body,
            R"({"id":"old","address":"0000:01:10.0","state":"Removal asked"})");
  EXPECT_NE(setting.ask(Method::kGet, "/vm/config")
                .body.find(R"("vfio-devices":[{"id":"old","address":"0000:01:10.0"}])"),
            std::string::npos);
  setting.controller.vm.vfios.clear();
  EXPECT_EQ(setting.ask(Method::kGet, "/vfio-devices").body, "[]");
  EXPECT_EQ(setting.ask(Method::kGet, "/vfio-devices/old").body,
            R"({"fault_message":"there is no device of the host 'old'"})");
}

TEST(Api, NamesTheDevicesThatASnapshotCannotHave) {
  Setting setting(VmState::kPaused);
  setting.controller.vm.vfios.push_back({.address = PciAddress{0, 1, 0x10, 2}, .id = "new"});
  const auto snapshot = [&] { return setting.ask(Method::kPut, "/snapshot/create", "{}").body; };
  EXPECT_EQ(snapshot(),
            R"({"fault_message":"Mote takes and loads no snapshots yet, and never of a guest that )"
            R"(has devices of the host: old (0000:01:10.0), new (0000:01:10.2)."})");
  setting.controller.vm.vfios.clear();
  EXPECT_EQ(snapshot(), R"({"fault_message":"Mote takes and loads no snapshots yet."})");
}

TEST(Api, ShowsMetricsAndTimeline) {
  Setting setting(VmState::kRunning);
  setting.ask(Method::kGet, "/nothing");
  const http::Response metrics = setting.ask(Method::kGet, "/metrics");
  EXPECT_EQ(metrics.content_type, "text/plain; version=0.0.4");
  EXPECT_NE(metrics.body.find("mote_api_refused_requests_total 1\n"), std::string::npos);
  EXPECT_NE(metrics.body.find("mote_block_read_bytes_total{id=\"rootfs\"} 512\n"),
            std::string::npos);
  EXPECT_EQ(setting.ask(Method::kGet, "/timeline").body, R"({"traceEvents":[]})");
}

TEST(Api, SaysWhyTheGuestDoesNotStart) {
  Setting setting(VmState::kNotStarted);
  const char* const start = R"({"action_type": "InstanceStart"})";
  setting.controller.vm.kernel.path.clear();
  EXPECT_EQ(setting.ask(Method::kPut, "/actions", start).body,
            R"({"fault_message":"Start microvm error: Cannot start microvm without kernel )"
            R"(configuration."})");
  setting.controller.vm.kernel.path = "/k";
  setting.controller.fails = true;
  EXPECT_EQ(setting.ask(Method::kPut, "/actions", start).body,
            R"({"fault_message":"Start microvm error: there is no KVM"})");
  setting.controller.fails = false;
  EXPECT_EQ(setting.ask(Method::kPut, "/actions", start).status, 204) << "it may be tried again";
}

TEST(Api, MarksWhatIsDeprecated) {
  Setting setting(VmState::kNotStarted);
  EXPECT_TRUE(
      setting.ask(Method::kPatch, "/machine-config", R"({"cpu_template": "None"})").deprecated);
  EXPECT_FALSE(setting.ask(Method::kPatch, "/machine-config", R"({"smt": false})").deprecated);
}

TEST(Api, PassesOnWhatTheControllerRefuses) {
  Setting setting(VmState::kNotStarted);
  const char* const metrics = R"({"metrics_path": "/m"})";
  EXPECT_EQ(setting.ask(Method::kPut, "/metrics", metrics).status, 204);
  EXPECT_EQ(setting.ask(Method::kPut, "/metrics", metrics).body,
            R"({"fault_message":"Reinitialization of metrics not allowed."})");
}

/// The whole way: socket, server, API.
struct RunningApi {
  RunningApi() {
    controller.events = &api.events();
    auto listener = http::UnixListener::create(folder.path());
    CHECK(listener.has_value(), "the folder is new");
    auto made = http::Server::create(*std::move(listener), api, {});
    CHECK(made.has_value(), "descriptors are there");
    server = *std::move(made);
    api.attach(*server);
    thread = std::thread([this] { server->run(); });
  }
  ~RunningApi() {
    server->stop();
    thread.join();
  }
  RunningApi(const RunningApi&) = delete;
  RunningApi& operator=(const RunningApi&) = delete;

  http::test::SocketFolder folder;
  FakeController controller;
  Api api{{}, controller};
  std::unique_ptr<http::Server> server;
  std::thread thread;
};

std::string put(const std::string& path, const std::string& body) {
  return "PUT " + path + " HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST(Api, StopsInItsOwnTime) {
  RunningApi running;
  http::test::Client client(running.folder.path());
  EXPECT_EQ(client.status(put("/actions", R"({"action_type": "Stop", "timeout_ms": 7})")), 204);
  EXPECT_EQ(running.controller.calls.back(), "stop within 7");
}

TEST(Api, TakesDisksAndTapsAsDescriptors) {
  RunningApi running;
  http::test::Client client(running.folder.path());
  const UniqueFd null(::open("/dev/null", O_RDWR));
  ASSERT_TRUE(
      client.send(put("/drives/a", R"({"drive_id": "a", "is_root_device": false})"), {null.get()}));
  EXPECT_EQ(client.response().first, 204);
  EXPECT_EQ(running.controller.calls.back(), "put_drive with file");
  ASSERT_TRUE(
      client.send(put("/network-interfaces/a", R"({"iface_id": "a"})"), {null.get(), null.get()}));
  EXPECT_EQ(client.response().first, 204);
  EXPECT_EQ(running.controller.calls.back(), "put_net with 2");
}

TEST(Api, TellsTheLifeOfTheVm) {
  RunningApi running;
  http::test::Client early(running.folder.path());
  ASSERT_TRUE(early.send("GET /events HTTP/1.1\r\n\r\n"));
  early.read_until("\r\n\r\n");
  http::test::Client client(running.folder.path());
  EXPECT_EQ(client.status(put("/boot-source", R"({"kernel_image_path": "/dev/null"})")), 204);
  EXPECT_EQ(client.status(put("/actions", R"({"action_type": "InstanceStart"})")), 204);
  const std::string text = early.read_until("}\n\n");
  EXPECT_EQ(text.substr(0, 61),
            "id: 1\nevent: started\ndata: {\"event\":\"started\",\"timestamp_ms\":");
  http::test::Client late(running.folder.path());
  ASSERT_TRUE(late.send("GET /events HTTP/1.1\r\n\r\n"));
  EXPECT_NE(late.read_until("}\n\n").find(text), std::string::npos)
      << "who comes late hears it too";
}

}  // namespace
}  // namespace mote::api
