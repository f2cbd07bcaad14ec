// SPDX-License-Identifier: Apache-2.0
// The folders of the host that a served VM is shown: which they are, what of them is seen, and that
// the host sees nothing of that.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "api/http/client.hpp"
#include "tests/kvm/run_mote.hpp"

namespace mote::test {
namespace {

namespace fs = std::filesystem;

constexpr int kUsage = 2;

std::string text_of(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// The mounts that the calling thread sees.
std::string mounts_here() {
  return text_of("/proc/thread-self/mountinfo");
}

std::vector<std::string> entries(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// `mote serve` in `home`, with `folders` and further words.
class Served {
 public:
  Served(const std::string& home, const std::vector<std::string>& folders,
         const std::vector<std::string>& more = {})
      : socket_(home + "/api.sock"), process_(words(home, folders, more), kPipes, "/usr/bin/env") {
    for (int i = 0; i < 2000 && ask("GET", "/").status != 200; ++i) ::usleep(1000);
  }

  http::Answer ask(const std::string& method, const std::string& path,
                   const std::string& body = {}) const {
    auto answer =
        http::ask(socket_, {.method = method == "GET" ? http::Method::kGet : http::Method::kPut,
                            .path = path,
                            .body = body});
    return answer ? *std::move(answer) : http::Answer();
  }
  void put(const std::string& path, const std::string& body) const {
    const http::Answer answer = ask("PUT", path, body);
    EXPECT_EQ(answer.status, 204) << path << ": " << answer.body;
  }
  http::Answer put_drive(const std::string& path) const {
    return ask(
        "PUT", "/drives/data",
        R"({"drive_id": "data", "is_root_device": false, "path_on_host": ")" + path + R"("})");
  }
  void start(const std::string& kernel) const {
    put("/boot-source", R"({"boot_args": "", "kernel_image_path": ")" + kernel + R"("})");
    put("/actions", R"({"action_type": "InstanceStart"})");
  }

  void end() {
    process_.signal(SIGTERM);
    EXPECT_EQ(process_.finish().exit_code, 128 + SIGTERM) << process_.errors();
  }

  Process& process() { return process_; }
  /// A path of the VM's.
  std::string inside(const std::string& path) const {
    return "/proc/" + std::to_string(process_.vm_pid()) + "/root" + path;
  }

 private:
  static constexpr auto kPipes = Process::Streams::kPipes;

  static std::vector<std::string> words(const std::string& home,
                                        const std::vector<std::string>& folders,
                                        const std::vector<std::string>& more) {
    std::vector<std::string> words = {"-C", home, MOTE_BINARY, "serve", "--api-sock", "api.sock"};
    for (const std::string& folder : folders) words.insert(words.end(), {"--dir", folder});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  std::string socket_;
  Process process_;
};

class Folders : public KvmTest {
 protected:
  void SetUp() override {
    KvmTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "looks at processes of other users: needs root";
    char folder[] = "/tmp/mote-folders-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    top_ = folder;
    ::chmod(folder, 0755);
    for (const char* name : {"a/b/c", "deep/er/est", "closed", "real/inner"}) {
      fs::create_directories(path(name));
      std::ofstream(path(name) + "/file") << name;
    }
    fs::create_symlink("real", path("link"));
  }
  void TearDown() override {
    std::error_code ignored;
    if (!top_.empty()) fs::remove_all(top_, ignored);
  }

  std::string path(const std::string& name) const { return top_ + "/" + name; }

  /// What `mote serve` ends with that is given `folder`.
  Outcome refused(const std::string& folder) const {
    Process process({"-C", top_, MOTE_BINARY, "serve", "--api-sock", "api.sock", "--dir", folder},
                    Process::Streams::kPipes, "/usr/bin/env");
    Outcome outcome = process.finish();
    EXPECT_NE(outcome.exit_code, 0) << folder;
    EXPECT_FALSE(fs::exists(path("api.sock"))) << folder;
    return outcome;
  }

  /// Calls `body` on a thread with mounts of its own, in which top/a/mounted is a file system.
  template <class Body>
  void with_own_mounts(unsigned long propagation, Body body) const {
    std::thread([&] {
      fs::create_directory(path("a/mounted"));
      ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
      ASSERT_EQ(::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
      ASSERT_EQ(::mount("", "/", nullptr, MS_REC | propagation, nullptr), 0);
      ASSERT_EQ(::mount("", path("a/mounted").c_str(), "tmpfs", 0, "mode=0755"), 0);
      std::ofstream(path("a/mounted/file")) << "mounted";
      body();
    }).join();
  }

  std::string top_;
};

TEST_F(Folders, AreSeenAtTheirPathsAndNothingElseIs) {
  const Served vm(top_, {path("a/b"), path("a"), path("deep/er") + "/./est//"});
  EXPECT_EQ(entries(vm.inside("/")), std::vector<std::string>{"tmp"});
  EXPECT_EQ(entries(vm.inside("/tmp")), std::vector<std::string>{fs::path(top_).filename()});
  EXPECT_EQ(entries(vm.inside(top_)), (std::vector<std::string>{"a", "deep"}));
  EXPECT_EQ(entries(vm.inside(path("deep"))), std::vector<std::string>{"er"});
  EXPECT_EQ(text_of(vm.inside(path("a/b/c/file"))), "a/b/c");
  EXPECT_EQ(text_of(vm.inside(path("deep/er/est/file"))), "deep/er/est");
}

TEST_F(Folders, CanBeNamedByLinks) {
  const Served vm(top_, {path("link/inner")});
  EXPECT_EQ(entries(vm.inside(top_)), std::vector<std::string>{"link"});
  EXPECT_TRUE(fs::is_directory(fs::symlink_status(vm.inside(path("link")))));
  EXPECT_EQ(text_of(vm.inside(path("link/inner/file"))), "real/inner");
}

TEST_F(Folders, CanBeRelative) {
  Served vm(top_, {"a/b", "."});
  EXPECT_EQ(text_of(vm.inside(path("closed/file"))), "closed");
  vm.end();
  EXPECT_FALSE(fs::exists(path("api.sock")));
}

TEST_F(Folders, AreFoldersBelowTheRoot) {
  for (const char* all : {"/", "//", "/."}) {
    const Outcome outcome = refused(all);
    EXPECT_EQ(outcome.exit_code, kUsage);
    EXPECT_NE(outcome.err.find("all of the host"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(refused("").exit_code, kUsage);
  EXPECT_NE(refused(path("a/../closed")).err.find("without '..'"), std::string::npos);
  const Outcome file = refused(path("a/b/c/file"));
  EXPECT_EQ(file.exit_code, kUsage) << file.err;
  EXPECT_NE(file.err.find("it is no folder"), std::string::npos) << file.err;
  const Outcome nothing = refused(path("nothing"));
  EXPECT_NE(nothing.err.find(path("nothing")), std::string::npos) << nothing.err;
  EXPECT_NE(nothing.err.find("No such file or directory"), std::string::npos) << nothing.err;
}

TEST_F(Folders, FilesThatAreMadeInThemAreTheVmsUsers) {
  ::chmod(path("a").c_str(), 0777);
  Served vm(top_, {path("a"), GUEST_FOLDER});
  std::ifstream status("/proc/" + std::to_string(vm.process().vm_pid()) + "/status");
  uid_t user = 0;
  for (std::string word; status >> word && word != "Uid:";) {
  }
  ASSERT_TRUE(status >> user);
  EXPECT_GE(user, 0x70000000u);
  vm.put("/logger", R"({"log_path": ")" + path("a/log") + R"("})");
  vm.put("/metrics", R"({"metrics_path": ")" + path("a/metrics") + R"("})");
  vm.put("/serial", R"({"serial_out_path": ")" + path("a/serial") + R"("})");
  vm.start(guest("hello"));
  EXPECT_EQ(vm.process().finish().exit_code, 0);
  for (const char* name : {"a/log", "a/metrics", "a/serial"}) {
    struct stat file{};
    ASSERT_EQ(::stat(path(name).c_str(), &file), 0) << name;
    EXPECT_EQ(file.st_uid, user) << name;
    EXPECT_EQ(file.st_gid, user) << name;
    EXPECT_GT(file.st_size, 0) << name;
  }
  EXPECT_TRUE(text_of(path("a/serial")).starts_with("Hello"));
}

TEST_F(Folders, HaveFilesThatTheVmsUserMayNotRead) {
  const std::string image = path("a/image");
  std::ofstream(image) << std::string(1 << 20, '\0');
  ::chmod(image.c_str(), 0600);
  {
    Served vm(top_, {path("a")});
    const http::Answer answer = vm.put_drive(image);
    EXPECT_EQ(answer.status, 400);
    EXPECT_NE(answer.body.find("Permission denied"), std::string::npos) << answer.body;
    EXPECT_NE(answer.body.find("as its own user"), std::string::npos) << answer.body;
    vm.end();
  }
  ASSERT_EQ(::chown(image.c_str(), 4321, 4321), 0);
  const Served vm(top_, {path("a")}, {"--uid", "4321", "--gid", "4321"});
  EXPECT_EQ(vm.put_drive(image).status, 204);
}

TEST_F(Folders, AreSeenWithWhatIsMountedInThem) {
  with_own_mounts(MS_PRIVATE, [this] {
    Served vm(top_, {path("a")});
    EXPECT_EQ(text_of(vm.inside(path("a/mounted/file"))), "mounted");
    std::ifstream mounts("/proc/" + std::to_string(vm.process().vm_pid()) + "/mountinfo");
    int seen = 0;
    for (std::string line; std::getline(mounts, line);) {
      if (line.find(" " + top_ + "/a") == std::string::npos) continue;
      ++seen;
      EXPECT_NE(line.find("nosuid"), std::string::npos) << line;
      EXPECT_NE(line.find("noexec"), std::string::npos) << line;
    }
    EXPECT_EQ(seen, 2);  // the folder, and what is mounted in it
  });
}

TEST_F(Folders, AreNoMountsOfTheHosts) {
  for (const unsigned long propagation : {0UL + MS_PRIVATE, 0UL + MS_SHARED}) {
    with_own_mounts(propagation, [&] {
      const std::string before = mounts_here();
      EXPECT_EQ(before.find(" shared:") != std::string::npos, propagation == MS_SHARED);
      Served vm(top_, {path("a"), GUEST_FOLDER});
      vm.start(guest("halt_forever"));
      ASSERT_TRUE(vm.process().wait_for_output("idle")) << vm.process().errors();
      EXPECT_EQ(mounts_here(), before);
      vm.end();
      EXPECT_EQ(mounts_here(), before);
      EXPECT_EQ(text_of(path("a/mounted/file")), "mounted");
    });
  }
}

// Whoever is killed cannot remove the socket, but the next one at that path does.
TEST_F(Folders, AndTheSocketAreGoneWithAVmThatIsKilled) {
  with_own_mounts(MS_SHARED, [&] {
    const std::string before = mounts_here();
    for (const bool kills_vm : {false, true}) {
      Served vm(top_, {path("a"), GUEST_FOLDER});
      vm.start(guest("halt_forever"));
      ASSERT_TRUE(vm.process().wait_for_output("idle")) << vm.process().errors();
      const pid_t inner = vm.process().vm_pid();
      ::kill(kills_vm ? inner : vm.process().pid(), SIGKILL);
      EXPECT_EQ(vm.process().finish().exit_code, 128 + SIGKILL);
      EXPECT_TRUE(is_gone(inner));
      EXPECT_EQ(fs::exists(path("api.sock")), !kills_vm);
      EXPECT_EQ(mounts_here(), before);
    }
  });
}

}  // namespace
}  // namespace mote::test
