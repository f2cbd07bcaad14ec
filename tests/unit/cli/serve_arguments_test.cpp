// SPDX-License-Identifier: Apache-2.0
// What `mote serve` is told, and the words for what is wrong with it.
#include "cli/serve/arguments.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace mote {
namespace {

Result<ServeOptions> parse(std::vector<const char*> words) {
  return serve_arguments(TRY(parse_command_line("mote serve", serve_options(), words)));
}

ServeOptions accepted(std::vector<const char*> words) {
  auto options = parse(std::move(words));
  EXPECT_TRUE(options) << options.error().message();
  return options ? *std::move(options) : ServeOptions();
}

std::string refusal(std::vector<const char*> words) {
  const auto options = parse(std::move(words));
  return options ? "accepted" : options.error().message();
}

/// A file that lives as long as this.
class ConfigFile {
 public:
  ConfigFile(const std::string& ending, const std::string& text)
      : path_("/tmp/mote-serve-" + std::to_string(::getpid()) + ending) {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { ::unlink(path_.c_str()); }
  const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

TEST(ServeArguments, NameTheSocketAndTheVm) {
  const ServeOptions options = accepted({"--api-sock", "/run/vm.sock", "--id", "web-1"});
  EXPECT_EQ(options.socket, "/run/vm.sock");
  EXPECT_EQ(options.id, "web-1");
  EXPECT_FALSE(options.starts);
  EXPECT_TRUE(options.config.vm.sandbox.enabled);
  EXPECT_EQ(accepted({"--api-sock", "s"}).id, "anonymous-instance");
}

TEST(ServeArguments, AskForASocketOrSomethingToStart) {
  EXPECT_EQ(refusal({}), "where is the API to be served? -- --api-sock PATH");
  EXPECT_EQ(refusal({"--no-api"}),
            "--no-api leaves --config-file as the only way to say what to start");
  EXPECT_EQ(refusal({"--no-api", "--api-sock", "s"}), "--api-sock and --no-api exclude each other");
  EXPECT_EQ(refusal({"--api-sock", "s", "vm.toml"}),
            "'mote serve' takes no argument 'vm.toml' -- a VM that is to be started at once is "
            "named by --config-file");
}

TEST(ServeArguments, RefuseWhatIsNoId) {
  for (const std::string id : {"", "a b", "a_b", "../x",
                               "0123456789012345678901234567890123456789"
                               "0123456789012345678901234"}) {
    EXPECT_EQ(refusal({"--api-sock", "s", "--id", id.c_str()}),
              "--id '" + id + "': an id has 1 to 64 letters, digits and '-'");
  }
}

TEST(ServeArguments, TakeFoldersAsAbsolutePaths) {
  EXPECT_EQ(accepted({"--api-sock", "s", "--dir", "/srv//vm/./a/"}).folders,
            std::vector<std::string>{"/srv/vm/a"});
  char here[4096];
  ASSERT_NE(::getcwd(here, sizeof(here)), nullptr);
  EXPECT_EQ(accepted({"--api-sock", "s", "--dir", "images"}).folders,
            std::vector<std::string>{std::string(here) + "/images"});
}

TEST(ServeArguments, SeeAFolderBelowAnotherWithIt) {
  const std::vector<std::string> expected = {"/srv/a", "/srv/ab"};
  EXPECT_EQ(accepted({"--api-sock", "s", "--dir", "/srv/ab", "--dir", "/srv/a/b/c", "--dir",
                      "/srv/a", "--dir", "/srv/a/x"})
                .folders,
            expected);
}

TEST(ServeArguments, RefuseAllOfTheHost) {
  EXPECT_EQ(refusal({"--api-sock", "s", "--dir", "/"}),
            "--dir /: all of the host -- name a folder, or do without: --no-sandbox");
  EXPECT_EQ(refusal({"--api-sock", "s", "--dir", "/srv/.."}),
            "--dir /srv/..: name it without '..'");
}

TEST(ServeArguments, NameTaps) {
  const std::vector<std::string> expected = {"tap0", "tap1"};
  EXPECT_EQ(accepted({"--api-sock", "s", "--tap", "tap0", "--tap", "tap1"}).taps, expected);
  EXPECT_NE(refusal({"--api-sock", "s", "--tap", "a/b"}).find("--tap"), std::string::npos);
}

TEST(ServeArguments, NameDevicesOfTheHost) {
  const ServeOptions options =
      accepted({"--api-sock", "s", "--vfio", "01:10.0", "--vfio", "01:10.2"});
  EXPECT_EQ(options.config.vm.vfios, (std::vector<VfioConfig>{{PciAddress{0, 1, 0x10, 0}, ""},
                                                              {PciAddress{0, 1, 0x10, 2}, ""}}));
  EXPECT_FALSE(options.starts);
  EXPECT_EQ(refusal({"--api-sock", "s", "--vfio", "eth0"}).substr(0, 14), "--vfio: 'eth0'");
}

TEST(ServeArguments, SayWhereTheLogGoes) {
  const ServeOptions options =
      accepted({"--api-sock", "s", "--log-level", "debug", "--log-format", "json", "--log-path",
                "/tmp/log", "--metrics-path", "/tmp/metrics"});
  EXPECT_EQ(options.log_level, LogLevel::kDebug);
  EXPECT_EQ(options.log_format, LogFormat::kJson);
  EXPECT_EQ(options.config.logger->path, "/tmp/log");
  EXPECT_EQ(options.config.metrics->path, "/tmp/metrics");
  EXPECT_EQ(refusal({"--api-sock", "s", "--log-level", "loud"}),
            "--log-level loud: choose off, error, warning, info or debug");
  EXPECT_EQ(refusal({"--api-sock", "s", "--log-format", "xml"}),
            "--log-format xml: choose plain, firecracker or json");
}

TEST(ServeArguments, ReadBothKindsOfConfigurationFile) {
  const ConfigFile toml(".toml", "[kernel]\npath = \"/k\"\n[machine]\nvcpus = 3\n");
  const ServeOptions from_toml = accepted({"--api-sock", "s", "--config-file", toml.path()});
  EXPECT_TRUE(from_toml.starts);
  EXPECT_EQ(from_toml.config.vm.machine.vcpus, 3u);
  const ConfigFile json(".json", R"({"boot-source": {"kernel_image_path": "/k"},
    "machine-config": {"vcpu_count": 2, "mem_size_mib": 64}})");
  const ServeOptions from_json =
      accepted({"--no-api", "--config-file", json.path(), "--no-sandbox"});
  EXPECT_TRUE(from_json.starts);
  EXPECT_EQ(from_json.config.vm.machine.vcpus, 2u);
  EXPECT_FALSE(from_json.config.vm.sandbox.enabled);
}

}  // namespace
}  // namespace mote
