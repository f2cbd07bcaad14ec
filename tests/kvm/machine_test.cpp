// SPDX-License-Identifier: Apache-2.0
// What the program that has a machine does with it: pause, resume and stop it while it runs, and
// try once more when it could not be made.
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <sstream>

#include "jail/seal.hpp"
#include "jail/seccomp/forbidden.hpp"
#include "tests/kvm/own_machine.hpp"
#include "tests/kvm/run_mote.hpp"
#include "tests/kvm/small_world.hpp"

namespace mote::test {
namespace {

constexpr int kForbiddenCall = 32;

class MachineTest : public KvmTest {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    char name[] = "/tmp/mote-machine-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    own_.reset();
    if (folder_.empty()) return;
    for (const char* file : {"/serial", "/disk"}) ::unlink((folder_ + file).c_str());
    ::rmdir(folder_.c_str());
  }

  VmConfig config_for(const std::string& name, const std::string& cmdline = {}) const {
    VmConfig config;
    config.kernel = {.path = guest(name), .cmdline = cmdline};
    config.serial = {.mode = SerialMode::kFile, .path = folder_ + "/serial"};
    return config;
  }
  void add_disk(VmConfig& config) const {
    config.blocks.push_back({.path = folder_ + "/disk"});
    std::ofstream file(config.blocks.back().path);
    ASSERT_EQ(::truncate(config.blocks.back().path.c_str(), 32 << 20), 0);
  }

  static std::shared_ptr<const kvm::System> open_system() {
    auto system = kvm::System::open();
    EXPECT_TRUE(system) << system.error().message();
    return std::make_shared<const kvm::System>(*std::move(system));
  }
  Result<void> try_to_run(const VmConfig& config) {
    own_.reset();
    own_ = TRY(OwnMachine::prepare(config, open_system()));
    TRY(own_->create(TRY(HostFiles::open(config))));
    return own_->start();
  }
  [[nodiscard]] ::testing::AssertionResult run(const VmConfig& config) {
    const auto started = try_to_run(config);
    if (started) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << started.error().message();
  }
  Machine& machine() { return own_->machine(); }

  std::string output() const {
    std::ostringstream text;
    text << std::ifstream(folder_ + "/serial").rdbuf();
    return text.str();
  }
  long output_size() const {
    struct stat status{};
    return ::stat((folder_ + "/serial").c_str(), &status) == 0 ? status.st_size : -1;
  }
  /// False when it does not come to hold in time.
  static bool comes_true(const std::function<bool()>& holds) {
    for (int i = 0; i < 20'000 && !holds(); ++i) ::usleep(1000);
    return holds();
  }
  bool output_grows() const {
    const long before = output_size();
    return comes_true([&] { return output_size() > before; });
  }
  void doze(u32 most_us) { ::usleep(static_cast<u32>(random_() % most_us)); }
  /// Pauses and resumes the guest, now and then, until it has ended by itself. How often.
  int bother() {
    int pauses = 0;
    while (machine().pause()) {
      ++pauses;
      if (!machine().resume()) break;
      doze(500);
    }
    own_->join();
    EXPECT_EQ(machine().end()->kind, EndKind::kPowerOff) << machine().end()->report;
    return pauses;
  }
  void expect_passes_though_bothered(const VmConfig& config, int passes) {
    ASSERT_TRUE(run(config));
    EXPECT_GT(bother(), 0);
    expect_passes({.exit_code = 0, .out = output()}, passes);
  }

  std::string folder_;
  std::unique_ptr<OwnMachine> own_;
  std::minstd_rand random_{std::random_device{}()};
};

constexpr char kWithoutEnd[] = "kib=100000000";

TEST_F(MachineTest, StandsStillWhilePaused) {
  VmConfig config = config_for("serial_flood", kWithoutEnd);
  config.machine.vcpus = 2;
  ASSERT_TRUE(run(config));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(output_grows());
    ASSERT_TRUE(machine().pause());
    ASSERT_TRUE(machine().pause());
    ::usleep(50'000);  // what the console holds back is written by then
    const long size = output_size();
    ::usleep(100'000);
    EXPECT_EQ(output_size(), size);
    ASSERT_TRUE(machine().resume());
    ASSERT_TRUE(machine().resume());
  }
  EXPECT_TRUE(output_grows());
}

TEST_F(MachineTest, CanBePausedBeforeItsFirstInstruction) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(run(config_for("hello")));
    if (!machine().pause()) continue;  // it was quick
    EXPECT_FALSE(machine().end());
    ASSERT_TRUE(machine().resume());
    own_->join();
    EXPECT_NE(output().find("Hello"), std::string::npos);
  }
}

TEST_F(MachineTest, StopsWhilePaused) {
  VmConfig config = config_for("serial_flood", kWithoutEnd);
  config.machine.vcpus = 3;
  ASSERT_TRUE(run(config));
  ASSERT_TRUE(output_grows());
  ASSERT_TRUE(machine().pause());
  machine().stop();
  const auto resumed = machine().resume();
  ASSERT_FALSE(resumed);
  EXPECT_EQ(resumed.error().message(), "the guest has ended");
  EXPECT_FALSE(machine().pause());
}

TEST_F(MachineTest, StopsWhileItIsBeingPausedWithRequestsInFlight) {
  VmConfig config = config_for("block_bench", "mode=randwrite depth=32 seconds=100");
  config.machine.io_threads = 2;
  add_disk(config);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(run(config));
    ::usleep(5'000);
    doze(5'000);
    std::thread pauses([this] {
      while (machine().pause() && machine().resume()) {
      }
    });
    doze(2'000);
    machine().stop();
    pauses.join();
  }
}

TEST_F(MachineTest, EndsAtAnyMomentOfAPause) {
  for (u32 i = 0; i < 100; ++i) {
    VmConfig config = config_for("power_off_pm1");
    config.machine.vcpus = 1 + i % 3;
    ASSERT_TRUE(run(config));
    bother();
  }
}

TEST_F(MachineTest, TellsAGuestThatAsksKvmClock) {
  ASSERT_TRUE(run(config_for("stood_still")));
  ASSERT_TRUE(comes_true([&] { return output().find("ready") != std::string::npos; }));
  ASSERT_TRUE(machine().pause());
  ASSERT_TRUE(machine().resume());
  own_->join();
  EXPECT_EQ(output().find("FAIL"), std::string::npos) << output();
  EXPECT_NE(output().find("DONE"), std::string::npos) << output();
}

TEST_F(MachineTest, AccessesOfAllWidthsSurvivePauses) {
  expect_passes_though_bothered(config_for("unclaimed"), 11);
}

TEST_F(MachineTest, InterruptsAmongVcpusSurvivePauses) {
  VmConfig config = config_for("smp");
  config.machine.vcpus = 4;
  expect_passes_though_bothered(config, 5);
}

TEST_F(MachineTest, InterruptsOfThePicsSurvivePauses) {
  expect_passes_though_bothered(config_for("pic"), 10);
}

TEST_F(MachineTest, QueuesGoOnWhereTheyStoodAtAPause) {
  VmConfig config = config_for("block_commands", "queues=2");
  config.machine.io_threads = 2;
  config.machine.vcpus = 2;
  add_disk(config);
  expect_passes_though_bothered(config, 39);
}

/// Keeps what it is shown, as "group.name".
class Shown final : public MetricsSink {
 public:
  void counter(std::string_view group, std::string_view, std::string_view name,
               u64 value) override {
    values[std::string(group) + "." + std::string(name)] = value;
  }
  void gauge(std::string_view, std::string_view, std::string_view, u64) override {}

  std::map<std::string, u64> values;
};

TEST_F(MachineTest, CountsExitsAndTheSerialPortsBytes) {
  ASSERT_TRUE(run(config_for("unclaimed")));
  own_->join();
  Shown shown;
  machine().collect(shown);
  for (const char* name : {"exit_io_in", "exit_io_out", "exit_mmio_read", "exit_mmio_write"}) {
    EXPECT_GT(shown.values["vcpu." + std::string(name)], 10U) << name;
  }
  EXPECT_EQ(shown.values["vcpu.failures"], 0U);
  EXPECT_EQ(shown.values["uart.write_count"], static_cast<u64>(output_size()));
  EXPECT_EQ(shown.values["uart.missed_write_count"], 0U);

  ASSERT_TRUE(run(config_for("internal_error")));
  own_->join();
  machine().collect(shown);
  EXPECT_EQ(shown.values["vcpu.failures"], 1U);
}

TEST_F(MachineTest, HidesFeaturesFromTheGuest) {
  VmConfig config = config_for("timer");
  config.cpuid = {{.leaf = 1, .reg = CpuidMask::Register::kEcx, .clear = 1U << 24}};
  ASSERT_TRUE(run(config));
  own_->join();
  EXPECT_NE(output().find("SKIP timer.tsc_deadline"), std::string::npos) << output();
}

/// The names of this process's threads.
std::vector<std::string> threads() {
  std::vector<std::string> names;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "comm");
    std::getline(file, names.emplace_back());
  }
  return names;
}

TEST_F(MachineTest, NamesItsThreadsAsItIsTold) {
  VmConfig config = config_for("halt_forever");
  config.machine.vcpus = 3;
  ASSERT_TRUE(run(config));
  const auto names = threads();
  for (const char* number : {"1", "2"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), kVcpuName + std::string(number)), 1);
  }
}

class MachineThatIsNotRun : public MachineTest {
 protected:
  void SetUp() override {
    MachineTest::SetUp();
    config_ = config_for("block_commands", "queues=2");
    config_.machine.io_threads = 2;
    config_.machine.vcpus = 2;
    config_.serial = {.mode = SerialMode::kPty};
    add_disk(config_);
  }
  /// Makes a machine of `files` and of nothing that others had, and does not run it.
  Result<void> make(HostFiles files) const {
    const auto own = TRY(OwnMachine::prepare(config_, open_system()));
    return own->create(std::move(files));
  }

  ImageFile no_kernel() const {
    auto image = ImageFile::open("kernel", config_.blocks.front().path);
    EXPECT_TRUE(image);
    return *std::move(image);
  }

  VmConfig config_;
};

TEST_F(MachineThatIsNotRun, LeavesNothingBehind) {
  const auto files = HostFiles::open(config_);
  ASSERT_TRUE(files) << files.error().message();
  const int descriptors_before = descriptors();
  const auto threads_before = threads().size();
  for (int i = 0; i < 20; ++i) {
    auto copy = duplicate(*files);
    ASSERT_TRUE(copy) << copy.error().message();
    const auto made = make(*std::move(copy));
    ASSERT_TRUE(made) << made.error().message();
  }
  EXPECT_EQ(descriptors(), descriptors_before);
  EXPECT_TRUE(comes_true([&] { return threads().size() == threads_before; }));
}

TEST_F(MachineThatIsNotRun, LetsAnotherBeMadeOfTheSameFiles) {
  const auto files = HostFiles::open(config_);
  ASSERT_TRUE(files) << files.error().message();
  const int descriptors_before = descriptors();
  for (int i = 0; i < 20; ++i) {
    auto copy = duplicate(*files);
    ASSERT_TRUE(copy) << copy.error().message();
    copy->kernel = no_kernel();
    const auto made = make(*std::move(copy));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().fault(), Fault::kImage) << made.error().message();
  }
  EXPECT_EQ(descriptors(), descriptors_before);
  EXPECT_FALSE(virtio::BlockImage::open(config_.blocks.front().path, false, false))
      << "the lock stays";

  auto own = OwnMachine::prepare(config_, open_system());
  ASSERT_TRUE(own) << own.error().message();
  auto last = duplicate(*files);
  ASSERT_TRUE(last) << last.error().message();
  const int terminal =
      ::open(last->serial.pty_path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  ASSERT_TRUE((*own)->create(*std::move(last)));
  ASSERT_TRUE((*own)->start());
  (*own)->join();
  std::string text;
  EXPECT_TRUE(comes_true([&] {
    char piece[4096];
    const ssize_t size = ::read(terminal, piece, sizeof(piece));
    text.append(piece, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return text.find("DONE") != std::string::npos;
  }));
  ::close(terminal);
  expect_passes({.exit_code = 0, .out = text}, 39);
}

TEST_F(MachineTest, NothingIsLeftOfAFirstEntry) {
  VmConfig config = config_for("memory");
  const auto system = open_system();
  auto own = OwnMachine::prepare(config, system);
  ASSERT_TRUE(own) << own.error().message();
  auto vm = (*own)->make_vm();
  ASSERT_TRUE(vm) << vm.error().message();
  auto cpuid = system->supported_cpuid();
  ASSERT_TRUE(cpuid) << cpuid.error().message();
  ASSERT_TRUE(vm->set_up_vcpus(*std::move(cpuid), {}));
  vm->enter_once();
  const auto ram = vm->memory.slice(Gpa(0), 2 << 20);
  ASSERT_TRUE(ram);
  const iovec bytes = ram->as_iovec();
  const std::string_view text(static_cast<const char*>(bytes.iov_base), bytes.iov_len);
  EXPECT_EQ(text.find_first_not_of('\0'), std::string_view::npos);

  auto files = HostFiles::open(config);
  ASSERT_TRUE(files) << files.error().message();
  ASSERT_TRUE((*own)->create(*std::move(files), *std::move(vm)));
  ASSERT_TRUE((*own)->run_here());
  (*own)->join();
  EXPECT_EQ((*own)->machine().end()->kind, EndKind::kPowerOff);
  EXPECT_NE(output().find("DONE"), std::string::npos) << output();
}

/// What a sealed thread of the API's does with a machine that runs.
[[noreturn]] void be_the_api(OwnMachine& own, std::atomic<int>& pauses) {
  if (!jail::seal_thread(ThreadRole::kApi)) ::_exit(6);
  own.wait_until_prepared();
  constexpr int kMost = 30;  // it would not get on otherwise
  while (pauses < kMost && own.machine().pause() && own.machine().resume()) ++pauses;
  Shown shown;
  own.machine().collect(shown);
  rest_for_good();
}

/// Under the filter of a start: tries to make a machine of no kernel, then runs the one of `files`.
/// In a process of its own: sealed threads have no end.
[[noreturn]] void make_two(const VmConfig& config, std::shared_ptr<const kvm::System> system,
                           const HostFiles& files, ImageFile no_kernel) {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_MMAP_MAX, 0);
  const auto own = OwnMachine::prepare(config, std::move(system), &jail::seal_thread);
  if (!own) ::_exit(1);
  auto first = duplicate(files);
  auto second = duplicate(files);
  auto first_vm = (*own)->make_vm();
  auto second_vm = (*own)->make_vm();
  if (!first || !second || !first_vm || !second_vm) ::_exit(2);
  first->kernel = std::move(no_kernel);
  if (!jail::report_forbidden_calls(kForbiddenCall, nullptr)) ::_exit(1);
  // The API's thread is no child of the start's.
  std::atomic<int> pauses{0};
  std::thread([&] { be_the_api(**own, pauses); }).detach();
  if (!jail::seal_thread(ThreadRole::kStart)) ::_exit(1);
  if ((*own)->create(*std::move(first), *std::move(first_vm))) ::_exit(3);
  if (!(*own)->create(*std::move(second), *std::move(second_vm))) ::_exit(4);
  if (!(*own)->run_here() || pauses == 0) ::_exit(5);
  (*own)->join();
  ::_exit((*own)->machine().end()->kind == EndKind::kPowerOff ? 0 : 7);
}

TEST_F(MachineThatIsNotRun, NeedsNoMoreThanItsThreadsMayDo) {
  config_.serial = {.mode = SerialMode::kFile, .path = folder_ + "/serial"};
  const auto files = HostFiles::open(config_);
  ASSERT_TRUE(files) << files.error().message();
  const auto system = open_system();
  const pid_t child = ::fork();
  if (child == 0) make_two(config_, system, *files, no_kernel());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 0);
  expect_passes({.exit_code = 0, .out = output()}, 39);
}

}  // namespace
}  // namespace mote::test
