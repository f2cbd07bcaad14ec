// SPDX-License-Identifier: Apache-2.0
// Forbidden acts in every thread of a VM: that each is stopped, and by which wall if there were no
// filter of system calls. As root, and as an ordinary user.
#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/acts/act.hpp"
#include "tests/acts/setting.hpp"

namespace mote::acts {
namespace {

constexpr int kForbiddenCall = 32;

/// A place in a VM where acts are done.
struct Place {
  std::string name;
  std::string thread;  ///< as messages call it
  ThreadRole role;
  bool is_served = false;  ///< a VM behind its API, which was given a folder
};
const Place kPlaces[] = {
    {"start", "mote", ThreadRole::kStart},
    {"vcpu0", "vcpu0", ThreadRole::kVcpu},
    {"vcpu1", "vcpu1", ThreadRole::kVcpu},
    {"io", "io", ThreadRole::kLoop},
    {"io1", "io1", ThreadRole::kLoop},
    {"supervisor", "supervisor", ThreadRole::kSupervisor},
    {"api", "mote", ThreadRole::kApi, true},
    {"supervisor", "supervisor", ThreadRole::kSupervisor, true},
};

std::ostream& operator<<(std::ostream& out, const Place& place) {
  return out << (place.is_served ? "served " : "") << place.name;
}

bool is_in(jail::RoleSet set, const Place& place) {
  return (set & jail::roles(place.role)) != 0;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

/// What "act: NAME: ANSWER ERROR" says, if it was said.
struct Answer {
  bool given = false;
  bool is_success = false;
  std::string error;
};

Answer answer_of(const std::string& output, std::string_view act) {
  const std::string begin = "act: " + std::string(act) + ": ";
  const auto at = output.find(begin);
  if (at == std::string::npos) return {};
  std::istringstream rest(output.substr(at + begin.size()));
  long number = 0;
  Answer answer{.given = true};
  rest >> number >> answer.error;
  answer.is_success = number >= 0;
  return answer;
}

/// What stands around a VM.
enum class Walls { kAll, kNoFilter, kNoFilterNorLandlock };

bool has_landlock() {
  constexpr int kAskForVersion = 1;
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskForVersion) > 0;
}

class Acts : public ::testing::TestWithParam<Caller> {
 protected:
  void SetUp() override {
    if (!std::ifstream("/dev/kvm").good()) GTEST_SKIP() << "/dev/kvm cannot be opened here";
    const std::string reason = Setting::cannot_be(GetParam());
    if (!reason.empty()) GTEST_SKIP() << reason;
  }

  /// A VM of which one place does an act, or all that more than a filter stops.
  static Trial try_in_vm(const Place& place, std::string_view act, Walls walls,
                         const Target& target = Setting::get().target()) {
    const Setting& setting = Setting::get();
    std::vector<std::string> words = {setting.path("mote-acts")};
    if (place.is_served) {
      setting.reset();
      words.insert(words.end(), {"serve", "--api-sock", "api.sock", "--dir", setting.path("shown"),
                                 "--config-file", setting.path("vm.toml")});
    } else {
      words.insert(words.end(), {"run", setting.path("vm.toml")});
    }
    if (GetParam() == Caller::kRoot) add_user(words);
    std::vector<std::string> environment = {"MOTE_ACT=" + place.name + ":" + std::string(act)};
    if (walls != Walls::kAll) environment.emplace_back("MOTE_ACT_UNFILTERED=1");
    if (walls == Walls::kNoFilterNorLandlock) {
      environment.emplace_back("MOTE_ACT_WITHOUT_LANDLOCK=1");
    }
    return setting.start(words, GetParam(), environment, target).finish();
  }

  /// The same user for all, so that users are not what separates them.
  static void add_user(std::vector<std::string>& words) {
    const std::string user = std::to_string(Setting::kUser);
    words.insert(words.end(), {"--uid", user, "--gid", user});
  }
};

/// By a filter that says so, before the guest has said a word: it waits for all threads to be
/// sealed, but not for the supervisor.
void expect_ended(const Trial& trial, const Place& place, const Act& act) {
  EXPECT_EQ(trial.exit_code, kForbiddenCall) << trial.output;
  const std::string begin = "mote: thread '" + place.thread + "': forbidden system call ";
  EXPECT_NE(trial.output.find(begin), std::string::npos) << trial.output;
  const auto calls = words_of(std::string(act.calls));
  EXPECT_TRUE(std::any_of(calls.begin(), calls.end(), [&trial](const std::string& call) {
    return trial.output.find(" (" + call + "): the VM is ended") != std::string::npos;
  })) << trial.output;
  if (place.role == ThreadRole::kSupervisor) return;
  EXPECT_EQ(trial.output.find("Hello"), std::string::npos) << trial.output;
}

void expect_refused(const Trial& trial, const Act& act) {
  const Answer answer = answer_of(trial.output, act.name);
  EXPECT_TRUE(answer.given) << trial.output;
  EXPECT_FALSE(answer.is_success) << trial.output;
}

void expect_done(const Trial& trial, const Act& act) {
  EXPECT_TRUE(answer_of(trial.output, act.name).is_success) << trial.output;
}

TEST_P(Acts, EndTheVmOrAreRefused) {
  for (const Act* act : all_acts()) {
    for (const Place& place : kPlaces) {
      // Served or not, a supervisor has one filter; but what it lets pass meets other walls.
      const bool is_supervisor = place.role == ThreadRole::kSupervisor;
      if (is_supervisor && place.is_served && !is_in(act->passes, place)) continue;
      SCOPED_TRACE(::testing::Message() << place << ":" << act->name);
      const Trial trial = try_in_vm(place, act->name, Walls::kAll);
      if (is_in(act->given_to, place)) {
        expect_done(trial, *act);
      } else if (!is_in(act->passes, place)) {
        expect_ended(trial, place, *act);
      } else if (act->wall != Wall::kLandlock || has_landlock()) {
        expect_refused(trial, *act);
      }
    }
  }
}

// The supervisor has fewer walls around it: it never meets anything of the guest's.
TEST_P(Acts, AreRefusedWithoutFiltersToo) {
  for (const Walls walls : {Walls::kNoFilter, Walls::kNoFilterNorLandlock}) {
    const bool is_behind_landlock = walls == Walls::kNoFilter && has_landlock();
    for (const Place& place : kPlaces) {
      if (place.role == ThreadRole::kSupervisor) continue;
      const Trial trial = try_in_vm(place, "all", walls);
      EXPECT_EQ(trial.exit_code, 0) << trial.output;
      for (const Act* act : all_acts()) {
        if (act->wall == Wall::kFilterAlone || is_in(act->before_wall, place)) continue;
        SCOPED_TRACE(::testing::Message() << place << ":" << act->name
                                          << (is_behind_landlock ? "" : ", without Landlock"));
        const bool is_landlocks = act->wall == Wall::kLandlock && place.is_served;
        if (is_in(act->given_to, place) || (is_landlocks && !is_behind_landlock)) {
          expect_done(trial, *act);
        } else {
          expect_refused(trial, *act);
        }
      }
    }
  }
}

pid_t child_of(pid_t process) {
  const std::string self = std::to_string(process);
  std::ifstream children("/proc/" + self + "/task/" + self + "/children");
  pid_t child = 0;
  children >> child;
  return child;
}

TEST_P(Acts, DoNotReachAnotherVmOfTheUser) {
  const Setting& setting = Setting::get();
  std::vector<std::string> words = {setting.path("mote"), "run", "--kernel",
                                    setting.path("halt_forever.elf")};
  if (GetParam() == Caller::kRoot) add_user(words);
  Program first = setting.start(words, GetParam(), {}, {});
  ASSERT_TRUE(first.wait_for("idle"));
  Target target = setting.target();
  target.process = child_of(first.process());
  ASSERT_GT(target.process, 0);
  for (const Place& place : kPlaces) {
    if (place.role == ThreadRole::kSupervisor) continue;
    const Trial trial = try_in_vm(place, "all", Walls::kNoFilter, target);
    for (const char* act : {"signal", "kick_another", "open_process", "trace", "read_memory",
                            "write_memory", "memory_file_of_another", "root_of_another"}) {
      SCOPED_TRACE(::testing::Message() << place << ":" << act);
      expect_refused(trial, *find_act(act));
    }
  }
  EXPECT_EQ(::kill(target.process, 0), 0) << "it lives on";
}

INSTANTIATE_TEST_SUITE_P(As, Acts, ::testing::Values(Caller::kRoot, Caller::kOrdinaryUser),
                         [](const auto& each) {
                           return std::string(each.param == Caller::kRoot ? "Root"
                                                                          : "OrdinaryUser");
                         });

/// The same acts by a program that nothing confines.
class UnconfinedActs : public ::testing::Test {
 protected:
  static Answer try_outside(const Act& act, Caller caller) {
    const Setting& setting = Setting::get();
    setting.reset();
    const Trial trial = setting
                            .start({setting.path("act-outside"), std::string(act.name)}, caller, {},
                                   setting.target())
                            .finish();
    return answer_of(trial.output, act.name);
  }
};

// What follows shows that there is something to stop: otherwise the tests above could not fail.
TEST_F(UnconfinedActs, AreDone) {
  if (!Setting::cannot_be(Caller::kRoot).empty()) GTEST_SKIP() << "needs root";
  for (const Act* act : all_acts()) {
    const Answer answer = try_outside(*act, Caller::kRoot);
    const bool is_done = answer.is_success || (act->refused_anyway && answer.error != "EPERM");
    // What belongs to a user, root may not always have: not in a container.
    EXPECT_TRUE(is_done || (act->wall == Wall::kNamespaces &&
                            try_outside(*act, Caller::kOrdinaryUser).is_success))
        << act->name << ": " << answer.error;
  }
}

TEST_F(UnconfinedActs, OfTheUserReachWhatBelongsToTheUser) {
  for (const char* name : {"signal", "kick_another", "open_process", "trace", "read_memory",
                           "write_memory", "memory_file_of_another", "root_of_another",
                           "connect_abstract", "connect_tcp", "memory_of_another"}) {
    const Answer answer = try_outside(*find_act(name), Caller::kOrdinaryUser);
    EXPECT_TRUE(answer.is_success) << name << ": " << answer.error;
  }
}

TEST(ActTable, HasNoNameTwiceAndEnoughOfThem) {
  std::vector<std::string_view> names;
  for (const Act* act : all_acts()) names.push_back(act->name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_GE(names.size(), 25u);
}

}  // namespace
}  // namespace mote::acts
