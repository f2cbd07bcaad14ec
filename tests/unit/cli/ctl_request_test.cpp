// SPDX-License-Identifier: Apache-2.0
// What `mote ctl` asks for which words, and the words for what is wrong with them.
#include "cli/ctl_request.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "api/command.hpp"

namespace mote {
namespace {

Result<CtlRequest> request(std::vector<const char*> words) {
  words.insert(words.begin(), {"--api-sock", "/run/vm.sock"});
  const auto line = parse_command_line("mote ctl", ctl_options(), words);
  if (!line) return line.error();
  return ctl_request(*line);
}

/// "METHOD path body".
std::string asked(std::vector<const char*> words) {
  const auto made = request(std::move(words));
  if (!made) return made.error().message();
  EXPECT_EQ(made->socket, "/run/vm.sock");
  const http::Call& call = made->call;
  std::string text(http::method_name(call.method));
  return text + " " + call.path + (call.body.empty() ? "" : " " + call.body);
}

std::string refusal(std::vector<const char*> words) {
  const auto made = request(std::move(words));
  if (made) return "accepted";
  EXPECT_EQ(made.error().fault(), Fault::kConfig);
  return made.error().message();
}

TEST(CtlRequest, AsksForEachVerb) {
  EXPECT_EQ(asked({"start"}), R"(PUT /actions {"action_type":"InstanceStart"})");
  EXPECT_EQ(asked({"pause"}), R"(PATCH /vm {"state":"Paused"})");
  EXPECT_EQ(asked({"resume"}), R"(PATCH /vm {"state":"Resumed"})");
  EXPECT_EQ(asked({"ctrl-alt-del"}), R"(PUT /actions {"action_type":"SendCtrlAltDel"})");
  EXPECT_EQ(asked({"flush-metrics"}), R"(PUT /actions {"action_type":"FlushMetrics"})");
  EXPECT_EQ(asked({"status"}), "GET /");
  EXPECT_EQ(asked({"config"}), "GET /vm/config");
  EXPECT_EQ(asked({"metrics"}), "GET /metrics");
  EXPECT_EQ(asked({"events"}), "GET /events");
  EXPECT_EQ(asked({"timeline"}), "GET /timeline");
}

TEST(CtlRequest, AsksForNothingThatTheApiDoesNotKnow) {
  for (const CtlVerb& verb : ctl_verbs()) {
    const std::size_t gap = verb.name.find(' ');
    const std::string first(verb.name.substr(0, gap));
    const std::string second(gap == std::string_view::npos ? "" : verb.name.substr(gap + 1));
    std::vector<const char*> words = {first.c_str()};
    if (!second.empty()) words.push_back(second.c_str());
    const std::string option = "--" + std::string(verb.options[0]);
    if (!verb.operand.empty()) words.push_back("a");
    if (verb.needs_option) {
      words.insert(words.end(), {option.c_str(), option == "--address" ? "01:10.0" : "1MiB"});
    }
    const auto made = request(words);
    ASSERT_TRUE(made) << verb.name << ": " << made.error().message();
    http::Request received;
    received.method = made->call.method;
    received.path = made->call.path;
    received.body = made->call.body;
    const auto command = api::parse_command(received);
    EXPECT_TRUE(command) << verb.name << ": " << command.error().message();
  }
}

TEST(CtlRequest, WaitsForAGuestAsLongAsItMayTake) {
  EXPECT_EQ(asked({"stop"}), R"(PUT /actions {"action_type":"Stop","timeout_ms":10000})");
  const auto stop = request({"stop", "--timeout", "60000"});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->call.body, R"({"action_type":"Stop","timeout_ms":60000})");
  EXPECT_GT(stop->call.answer_ms, 60000u);
}

TEST(CtlRequest, ShowsWhatTheAnswerIsMadeFor) {
  EXPECT_EQ(request({"start"})->show, CtlShow::kNothing);
  EXPECT_EQ(request({"status"})->show, CtlShow::kStatus);
  EXPECT_EQ(request({"status", "--json"})->show, CtlShow::kBody);
  EXPECT_EQ(request({"events"})->show, CtlShow::kEvents);
}

TEST(CtlRequest, ChangesADisk) {
  EXPECT_EQ(asked({"drive", "data", "--path", "/b \"c\".img"}),
            R"(PATCH /drives/data {"drive_id":"data","path_on_host":"/b \"c\".img"})");
  EXPECT_EQ(asked({"drive", "data", "--bandwidth", "10MiB,burst=64MiB", "--operations",
                   "500,refill_ms=100"}),
            R"(PATCH /drives/data {"drive_id":"data","rate_limiter":{)"
            R"("bandwidth":{"size":10485760,"refill_time":1000,"one_time_burst":67108864},)"
            R"("ops":{"size":500,"refill_time":100}}})");
  EXPECT_EQ(
      asked({"drive", "data", "--operations", "none"}),
      R"(PATCH /drives/data {"drive_id":"data","rate_limiter":{"ops":{"size":0,"refill_time":1000}}})");
}

TEST(CtlRequest, ChangesANetworkInterface) {
  EXPECT_EQ(asked({"net", "eth0", "--rx-bandwidth", "1MiB", "--tx-frames", "7,burst=8"}),
            R"(PATCH /network-interfaces/eth0 {"iface_id":"eth0",)"
            R"("rx_rate_limiter":{"bandwidth":{"size":1048576,"refill_time":1000}},)"
            R"("tx_rate_limiter":{"ops":{"size":7,"refill_time":1000,"one_time_burst":8}}})");
  EXPECT_EQ(asked({"net", "eth0", "--rx-frames", "1", "--tx-bandwidth", "none"}),
            R"(PATCH /network-interfaces/eth0 {"iface_id":"eth0",)"
            R"("rx_rate_limiter":{"ops":{"size":1,"refill_time":1000}},)"
            R"("tx_rate_limiter":{"bandwidth":{"size":0,"refill_time":1000}}})");
}

TEST(CtlRequest, ManagesDevicesOfTheHost) {
  EXPECT_EQ(asked({"vfio", "list"}), "GET /vfio-devices");
  EXPECT_EQ(request({"vfio", "list"})->show, CtlShow::kBody);
  EXPECT_EQ(asked({"vfio", "add", "nic", "--address", "01:10.0"}),
            R"(PUT /vfio-devices/nic {"id":"nic","address":"0000:01:10.0"})");
  EXPECT_EQ(asked({"vfio", "remove", "nic"}), "DELETE /vfio-devices/nic");
  EXPECT_EQ(asked({"vfio", "remove", "nic", "--force"}), "DELETE /vfio-devices/nic?force=true");
  EXPECT_GT(request({"vfio", "remove", "nic", "--force"})->call.answer_ms, 10'000u)
      << "a reset may take its time";
  EXPECT_EQ(refusal({"vfio", "remov", "nic"}),
            "'vfio remov' is nothing to ask of a VM; did you mean 'vfio remove'? -- 'mote ctl "
            "--help' lists what is");
  EXPECT_EQ(refusal({"vfio", "remove"}), "'mote ctl vfio remove' needs the id of a device");
  EXPECT_EQ(refusal({"vfio", "add", "nic"}),
            "'mote ctl vfio add' needs something to change -- 'mote ctl --help' lists what can be");
  EXPECT_EQ(refusal({"vfio", "add", "nic", "--address", "eth0"}).substr(0, 6), "'eth0'");
  EXPECT_EQ(refusal({"vfio", "list", "nic"}), "'mote ctl vfio list' takes no argument 'nic'");
  EXPECT_EQ(refusal({"vfio"}).substr(0, 6), "'vfio'");
}

TEST(CtlRequest, SaysWhichWordIsWrong) {
  EXPECT_EQ(refusal({}), "nothing to ask of a VM -- 'mote ctl --help' lists what can be");
  EXPECT_EQ(refusal({"paus"}),
            "'paus' is nothing to ask of a VM; did you mean 'pause'? -- 'mote "
            "ctl --help' lists what is");
  EXPECT_EQ(refusal({"pause", "now"}), "'mote ctl pause' takes no argument 'now'");
  EXPECT_EQ(refusal({"pause", "--json"}), "'mote ctl pause' takes no option '--json'");
  EXPECT_EQ(refusal({"drive", "a", "--timeout", "1"}),
            "'mote ctl drive' takes no option '--timeout'");
  EXPECT_EQ(refusal({"stop", "--timeout", "soon"}), "--timeout must be a whole number, not 'soon'");
}

TEST(CtlRequest, WantsADeviceAndAChange) {
  EXPECT_EQ(refusal({"drive"}), "'mote ctl drive' needs the id of a device");
  EXPECT_EQ(refusal({"drive", "a/b", "--path", "c"}), "'a/b' is no id of a device");
  EXPECT_EQ(refusal({"drive", "", "--path", "c"}), "'' is no id of a device");
  EXPECT_EQ(refusal({"net", "eth0"}),
            "'mote ctl net' needs something to change -- 'mote ctl --help' lists what can be");
}

TEST(CtlRequest, SaysWhatIsWrongWithARate) {
  EXPECT_EQ(refusal({"drive", "a", "--bandwidth", "0MiB"}),
            "--bandwidth: a limit is above 0 -- 'none' lifts it");
  EXPECT_EQ(refusal({"drive", "a", "--operations", "5MiB"}),
            "--operations: '5MiB' is no whole number");
  EXPECT_EQ(refusal({"drive", "a", "--operations", "5,refil_ms=3"}),
            "--operations: unknown key 'refil_ms'; did you mean 'refill_ms'? -- refill_ms and "
            "burst are known");
  EXPECT_EQ(refusal({"net", "a", "--rx-frames", "5,refill_ms=0"}),
            "--rx-frames: refill_ms must be above 0, not '0'");
  EXPECT_NE(refusal({"drive", "a", "--bandwidth", "10"}).find("--bandwidth: "), std::string::npos);
}

TEST(CtlRequest, NeedsASocket) {
  const char* const words[] = {"status"};
  const auto line = parse_command_line("mote ctl", ctl_options(), words);
  ASSERT_TRUE(line);
  const auto made = ctl_request(*line);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message(), "no VM to ask -- pass --api-sock PATH, the socket of its API");
}

}  // namespace
}  // namespace mote
