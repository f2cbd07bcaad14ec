// SPDX-License-Identifier: Apache-2.0
// Network interfaces as the user meets them: what becomes of the tap, what the guest is told, what
// is refused. Each test in a network of its own.
#include <csignal>
#include <functional>

#include "core/mac_address.hpp"
#include "tests/kvm/run_mote.hpp"
#include "tests/unit/devices/virtio/net/network_namespace.hpp"

namespace mote::test {
namespace {

class Net : public KvmTest {
 protected:
  /// What the test starts lives in this network too.
  static void in_network(const std::function<void()>& body) {
    const std::string obstacle = in_network_namespace(body);
    if (!obstacle.empty()) GTEST_SKIP() << obstacle;
  }

  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  static bool exists(const std::string& interface) {
    return ::if_nametoindex(interface.c_str()) != 0;
  }

  static void expect_refusal(const std::vector<std::string>& arguments, int code,
                             const std::string& message) {
    const Outcome outcome = run_guest("hello", arguments);
    EXPECT_EQ(outcome.exit_code, code);
    EXPECT_TRUE(has(outcome.err, message)) << outcome.err;
    EXPECT_EQ(outcome.out, "") << "the guest has not run";
  }
};

TEST_F(Net, WordsTellAnElfWhereInterfacesAreBehindTheDisks) {
  in_network([] {
    const Outcome outcome = run_guest(
        "cmdline", {"--cmdline", "a -- b", "--net", "t0", "--net", "t1,queues=4", "--vcpus", "2"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(has(outcome.out,
                    "line a virtio_mmio.device=4K@0xd0000000:5 virtio_mmio.device=4K@0xd0001000:6 "
                    "-- b\n"))
        << outcome.out;
  });
}

TEST_F(Net, AcpiTellsALinux) {
  in_network([] {
    const Outcome outcome = run_guest("cmdline_bzimage.bin", {"--cmdline", "a", "--net", "t0"});
    EXPECT_TRUE(has(outcome.out, "line a\n")) << outcome.out << outcome.err;
  });
}

TEST_F(Net, ATapThatMoteMakesLivesAsLongAsTheMachine) {
  in_network([] {
    Process process({"run", "--kernel", guest("halt_forever"), "--net", "t0"});
    ASSERT_TRUE(process.wait_for_output("idle")) << process.errors();
    EXPECT_TRUE(exists("t0"));
    process.signal(SIGTERM);
    EXPECT_EQ(process.finish().exit_code, 143);
    // The ring lets go of the descriptor some time after the process.
    for (int i = 0; i < 500 && exists("t0"); ++i) ::usleep(10'000);
    EXPECT_FALSE(exists("t0"));
  });
}

TEST_F(Net, ATapIsForOneMachineAndFreeAfterIt) {
  in_network([] {
    ASSERT_TRUE(make_tap("t0"));
    ASSERT_TRUE(make_tap("t1", IFF_MULTI_QUEUE));
    for (const char* net : {"t0", "t1,queues=2"}) {
      Process first({"run", "--kernel", guest("halt_forever"), "--net", net});
      ASSERT_TRUE(first.wait_for_output("idle")) << first.errors();
      expect_refusal({"--net", net}, 1, "another process has it open");
      first.signal(SIGTERM);
      EXPECT_EQ(first.finish().exit_code, 143);
      Outcome next;
      for (int i = 0; i < 100 && next.exit_code != 0; ++i) {
        next = run_guest("hello", {"--net", net});
        if (next.exit_code != 0) ::usleep(10'000);
      }
      EXPECT_EQ(next.exit_code, 0) << next.err;
    }
  });
}

TEST_F(Net, ATapIsHandedOverAsDescriptors) {
  in_network([] {
    const int flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
    const UniqueFd queues[] = {open_tun("t0", flags), open_tun("t0", flags)};
    for (const UniqueFd& queue : queues) ::fcntl(queue.get(), F_SETFD, 0);
    const std::string fds =
        "fd=" + std::to_string(queues[0].get()) + ",fd=" + std::to_string(queues[1].get());
    const Outcome outcome = run_guest("hello", {"--net", fds});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    expect_refusal({"--net", "fd=777"}, 1, "cannot take descriptor 777 as a tap: Bad file");
  });
}

TEST_F(Net, WhatIsNoTapIsRefusedBeforeTheGuestRuns) {
  in_network([] {
    expect_refusal({"--net", "lo"}, 2, "cannot use 'lo' as a tap: it is a network card");
    expect_refusal({"--net", "1234567890123456"}, 2, "net[0].tap: '1234567890123456' is too long");
    expect_refusal({"--net", "a", "--net", "a"}, 2, "net[1].tap: net[0] has it as well: 'a'");
    expect_refusal({"--net", "a,mac=01:00:5e:00:00:01"}, 2, "is no address of one interface");
    ASSERT_TRUE(make_tap("t0"));
    expect_refusal({"--net", "t0,queues=2"}, 2, "with 2 queue pairs: it was made with one");
    const std::string mac = "02:00:5e:00:53:01";
    expect_refusal({"--net", "a,mac=" + mac, "--net", "b,mac=" + mac}, 2,
                   "net[1].mac: net[0] has it as well: '" + mac + "'");
  });
}

TEST_F(Net, AnAddressThatIsSomebodysDefaultIsTakenToo) {
  in_network([] {
    // The default of net0 at tap t0 is given to net1 on purpose.
    expect_refusal({"--net", "t0", "--net", "t1,mac=" + print_mac(default_mac("net0", "t0"))}, 2,
                   "net[1].mac: net[0] has it as well: '");
  });
}

}  // namespace
}  // namespace mote::test
