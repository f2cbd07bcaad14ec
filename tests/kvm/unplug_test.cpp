// SPDX-License-Identifier: Apache-2.0
// A function of the host leaves a running guest, in the middle of accesses to it: a fake one, for
// the real way back is tests/lab's.
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/kvm/own_machine.hpp"
#include "tests/kvm/run_mote.hpp"
#include "tests/unit/devices/vfio/fake_function.hpp"

namespace mote::test {
namespace {

constexpr PciAddress kAddress = {0, 1, 0x10, 0};

/// Says when it has ended.
class Leaving final : public vfio::Device {
 public:
  explicit Leaving(std::atomic<int>& ended) : ended_(ended) {
    for (const u32 bar : {0, 3}) fake_.set_bar(bar, 16 * kKiB, 0);  // below 4 GiB
  }
  ~Leaving() override { ++ended_; }
  std::string_view name() const override { return fake_.name(); }
  vfio::Region region(u32 index) const override { return fake_.region(index); }
  bool read(u32 region, u64 offset, std::span<std::byte> data) const override {
    return fake_.read(region, offset, data);
  }
  bool write(u32 region, u64 offset, std::span<const std::byte> data) const override {
    return fake_.write(region, offset, data);
  }
  Result<Mapping> map(u32 region, const vfio::Area& area) const override {
    return fake_.map(region, area);
  }
  Result<u32> set_triggers(vfio::InterruptKind kind, std::span<const int> fds) const override {
    return fake_.set_triggers(kind, fds);
  }

 private:
  FakeFunction fake_;
  std::atomic<int>& ended_;
};

class UnplugTest : public KvmTest {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    char name[] = "/tmp/mote-unplug-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    own_.reset();
    if (folder_.empty()) return;
    ::unlink((folder_ + "/serial").c_str());
    ::rmdir(folder_.c_str());
  }

  /// Runs the guest until it has the function in use.
  void run(const std::string& cmdline) {
    VmConfig config;
    config.kernel = {.path = guest("unplug"), .cmdline = cmdline};
    config.serial = {.mode = SerialMode::kFile, .path = folder_ + "/serial"};
    config.machine.vcpus = 2;
    config.vfios = {{.address = kAddress}};
    auto system = kvm::System::open();
    ASSERT_TRUE(system) << system.error().message();
    auto own = OwnMachine::prepare(config, std::make_shared<const kvm::System>(*std::move(system)));
    ASSERT_TRUE(own) << own.error().message();
    own_ = *std::move(own);
    auto files = HostFiles::open_but_devices(config);
    ASSERT_TRUE(files) << files.error().message();
    ASSERT_TRUE(files->devices.add(kAddress, std::make_unique<Leaving>(ended_)));
    const auto created = own_->create(*std::move(files));
    ASSERT_TRUE(created) << created.error().message();
    own_->machine().unplug()->set_listener(Completion::to<&UnplugTest::on_gone>(this));
    const auto started = own_->start();
    ASSERT_TRUE(started) << started.error().message();
    for (int i = 0; i < 20'000 && output().find("in use") == std::string::npos; ++i) ::usleep(1000);
  }
  void on_gone(i32 device) {
    gone_.store(device);
    gone_.notify_all();
  }
  std::string output() const {
    std::ostringstream text;
    text << std::ifstream(folder_ + "/serial").rdbuf();
    return text.str();
  }
  Unplug& unplug() { return *own_->machine().unplug(); }
  void expect_gone(int passes) {
    own_->join();
    gone_.wait(-1);  // the guest may be quicker
    expect_passes({.exit_code = 0, .out = output()}, passes);
    EXPECT_EQ(gone_.load(), 0) << "the device's position";
    EXPECT_EQ(ended_.load(), 1);
    EXPECT_EQ(unplug().state(0), PassedState::kGone);
  }

  std::string folder_;
  std::atomic<int> ended_{0};
  std::atomic<int> gone_{-1};
  std::unique_ptr<OwnMachine> own_;
};

TEST_F(UnplugTest, AGuestThatIsAskedLetsItGo) {
  run("");
  EXPECT_EQ(unplug().state(0), PassedState::kAttached);
  unplug().ask(0);
  expect_gone(11);
  unplug().ask(0);
  unplug().take(0);
  EXPECT_EQ(unplug().state(0), PassedState::kGone);
}

TEST_F(UnplugTest, AGuestThatDoesNotListenLosesIt) {
  run("deaf");
  unplug().ask(0);
  unplug().ask(0);
  EXPECT_EQ(unplug().state(0), PassedState::kAsked);
  ::usleep(50'000);
  EXPECT_EQ(ended_.load(), 0);
  unplug().take(0);
  gone_.wait(-1);
  EXPECT_EQ(ended_.load(), 1) << "it is said when it is true";
  expect_gone(8);
}

TEST_F(UnplugTest, APausedGuestLosesItAllTheSame) {
  run("deaf");
  ASSERT_TRUE(own_->machine().pause());
  unplug().take(0);
  gone_.wait(-1);
  ASSERT_TRUE(own_->machine().resume());
  expect_gone(8);
}

}  // namespace
}  // namespace mote::test
