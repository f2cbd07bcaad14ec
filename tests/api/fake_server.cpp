// SPDX-License-Identifier: Apache-2.0
// The API as it is, in front of a VM that only pretends: for clients' tests on any machine.
//   fake_server SOCKET [not-started|running|paused]
// With a state, the VM stays in it whatever it is told. Ends with standard input.
#include <cstdio>
#include <thread>

#include "api/api.hpp"
#include "tests/unit/api/fake_controller.hpp"

using namespace mote;

namespace {

/// A VM that does not leave its state.
class PinnedController final : public api::test::FakeController {
 public:
  std::optional<api::VmState> pinned;
  api::VmState state() override { return pinned.value_or(current); }
  Result<void> put_metrics(const MetricsConfig& metrics) override {
    if (pinned) has_metrics = false;
    return FakeController::put_metrics(metrics);
  }
};

int fail(const Error& error) {
  std::fprintf(stderr, "fake_server: %s\n", error.message().c_str());
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return fail(Error::config("usage: fake_server SOCKET [STATE]"));
  PinnedController controller;
  if (count > 2) {
    const std::string_view state = arguments[2];
    controller.pinned = state == "running"  ? api::VmState::kRunning
                        : state == "paused" ? api::VmState::kPaused
                                            : api::VmState::kNotStarted;
    controller.vm.kernel.path = "/dev/null";
  }
  api::Api api({.version = "0.1.0", .firecracker_version = "1.16.1"}, controller);
  controller.events = &api.events();
  auto listener = http::UnixListener::create(arguments[1]);
  if (!listener) return fail(listener.error());
  auto server = http::Server::create(*std::move(listener), api);
  if (!server) return fail(server.error());
  api.attach(**server);
  std::thread end([&server] {
    while (std::getchar() != EOF) {
    }
    (*server)->stop();
  });
  (*server)->run();
  end.join();
  (*server)->listener().remove();
  return 0;
}
