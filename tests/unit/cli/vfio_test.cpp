// SPDX-License-Identifier: Apache-2.0
#include "cli/vfio/vfio.hpp"

#include <gtest/gtest.h>

#include "core/json/value.hpp"
#include "tests/unit/devices/vfio/fake_host.hpp"

namespace mote {
namespace {

using test::FakeHost;

Result<std::string> ask(const FakeHost& host, std::vector<const char*> words) {
  const auto line = parse_command_line("mote vfio", vfio_options(), words);
  EXPECT_TRUE(line);
  return vfio_command(*line, host);
}

std::string refusal(const FakeHost& host, std::vector<const char*> words) {
  const auto text = ask(host, std::move(words));
  return text ? "" : text.error().message();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Vfio, PrepareMakesVirtualFunctionsAndBindsThoseThatAreNamed) {
  const FakeHost host;
  const auto text =
      ask(host, {"prepare", "--pf", "0000:01:00.0", "--vfs", "2", "--bind", "0000:01:10.0"});
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(*text,
            "0000:01:00.0 has 2 virtual functions: 0000:01:10.0 0000:01:10.2\n"
            "0000:01:10.0 is with vfio-pci, in IOMMU group 20\n");
  EXPECT_EQ(host.look_at({0, 1, 0x10, 2})->driver, "igbvf") << "nobody named it";
}

TEST(Vfio, PrepareMayBeRepeated) {
  const FakeHost host;
  const std::vector<const char*> words = {"prepare", "--pf",   "01:00.0", "--vfs",
                                          "1",       "--bind", "01:10.0"};
  const auto first = ask(host, words);
  ASSERT_TRUE(first);
  const std::size_t writes = host.writes().size();
  const auto second = ask(host, words);
  ASSERT_TRUE(second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(host.writes().size(), writes) << "there was nothing left to change";
}

TEST(Vfio, PrepareRefusesNumbersThatCannotBe) {
  const FakeHost host;
  EXPECT_TRUE(has(refusal(host, {"prepare", "--pf", "01:00.0", "--vfs", "8"}), "7 virtual"));
  EXPECT_TRUE(has(refusal(host, {"prepare", "--pf", "01:00.0", "--vfs", "0"}), "'0'"));
  ASSERT_TRUE(ask(host, {"prepare", "--pf", "01:00.0", "--vfs", "2"}));
  EXPECT_TRUE(has(refusal(host, {"prepare", "--pf", "01:00.0", "--vfs", "3"}),
                  "'sudo mote vfio release 0000:01:00.0'"));
  EXPECT_TRUE(has(refusal(host, {"prepare", "--pf", "01:10.0", "--vfs", "1"}), "SR-IOV"));
}

TEST(Vfio, BindRefusesWhatWouldNotWorkBeforeItChangesAnything) {
  const FakeHost host;
  host.add("0000:02:00.0", "nvme", "");
  EXPECT_TRUE(has(refusal(host, {"prepare", "--bind", "02:00.0"}), "no IOMMU"));
  EXPECT_TRUE(host.writes().empty());
  ASSERT_TRUE(ask(host, {"prepare", "--pf", "01:00.0", "--vfs", "1"}));
  EXPECT_TRUE(has(refusal(host, {"prepare", "--bind", "01:00.0"}), "virtual functions"));
  EXPECT_EQ(host.look_at({0, 1, 0, 0})->driver, "igb");
}

TEST(Vfio, AFunctionThatVfioPciDoesNotTakeGoesBack) {
  FakeHost host;
  host.refuse_binding();
  EXPECT_TRUE(has(refusal(host, {"prepare", "--bind", "01:00.0"}), "did not take 0000:01:00.0"));
  EXPECT_EQ(host.look_at({0, 1, 0, 0})->driver, "igb");
}

TEST(Vfio, ReleaseUndoesPrepare) {
  const FakeHost host;
  ASSERT_TRUE(ask(host, {"prepare", "--pf", "01:00.0", "--vfs", "1", "--bind", "01:10.0"}));
  EXPECT_TRUE(has(refusal(host, {"release", "01:00.0"}), "0000:01:10.0 is with vfio-pci"));
  auto text = ask(host, {"release", "01:10.0"});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "0000:01:10.0 is with igbvf\n");
  text = ask(host, {"release", "01:10.0"});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "0000:01:10.0 is not with vfio-pci: nothing to do\n");
  text = ask(host, {"release", "01:00.0"});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "0000:01:00.0 has no virtual functions any more\n");
  EXPECT_FALSE(host.look_at({0, 1, 0x10, 0}));
}

TEST(Vfio, ListShowsObstaclesAndRemedies) {
  const FakeHost host;
  host.add("0000:00:1c.0", "pcieport", "3", "0x060400");
  ASSERT_TRUE(ask(host, {"prepare", "--pf", "01:00.0", "--vfs", "2", "--bind", "01:10.0"}));
  const auto text = ask(host, {"list"});
  ASSERT_TRUE(text);
  EXPECT_TRUE(has(*text,
                  "0000:01:10.2  8086:10ca  class 020000  group 21    igbvf, a virtual one of "
                  "0000:01:00.0\n"
                  "       the driver igbvf has it, vfio-pci should\n"
                  "       -> sudo mote vfio prepare --bind 0000:01:10.2\n"))
      << *text;
  EXPECT_TRUE(has(*text, "igb, 2 of 7 virtual ones made\n")) << *text;
  EXPECT_FALSE(has(*text, "0000:00:1c.0")) << "bridges are not for guests";
}

TEST(Vfio, ListSaysByWhichInterfaceAFunctionWouldBeTaken) {
  const FakeHost host;
  ASSERT_TRUE(ask(host, {"prepare", "--bind", "01:00.0"}));
  EXPECT_TRUE(has(*ask(host, {"list"}), "group 11    vfio-pci by container, 0 of 7"));
  EXPECT_TRUE(has(*ask(host, {"list", "--json"}), R"("interface":"container")"));
  std::filesystem::create_directories(host.device("0000:01:00.0") / "vfio-dev/vfio3");
  host.put(host.root() + "/dev/vfio/devices/vfio3", "");
  host.put(host.root() + "/dev/iommu", "");
  EXPECT_TRUE(has(*ask(host, {"list"}), "group 11    vfio-pci by iommufd, 0 of 7"));
  EXPECT_TRUE(has(*ask(host, {"list", "--json"}), R"("interface":"iommufd")"));
}

TEST(Vfio, ListAsJson) {
  const FakeHost host;
  host.add("0000:02:00.0", "", "");
  const auto text = ask(host, {"list", "--json"});
  ASSERT_TRUE(text);
  const auto root = json::parse(*text);
  ASSERT_TRUE(root) << *text;
  EXPECT_TRUE(has(*text,
                  R"("address":"0000:02:00.0","vendor":"8086","device":"10ca",)"
                  R"("class":"020000","driver":null,"interface":null,"iommu_group":null,)"
                  R"("physical_function":null,"virtual_functions":[],)"
                  R"("virtual_functions_limit":0,"passable":false,"obstacles":[{"problem":)"))
      << *text;
}

TEST(Vfio, WordsAtFaultAreNamed) {
  const FakeHost host;
  EXPECT_TRUE(has(refusal(host, {}), "no verb"));
  EXPECT_TRUE(has(refusal(host, {"lst"}), "did you mean 'list'"));
  EXPECT_TRUE(has(refusal(host, {"release"}), "needs an address"));
  EXPECT_TRUE(has(refusal(host, {"release", "01:00.0", "01:00.1"}), "'01:00.1'"));
  EXPECT_TRUE(has(refusal(host, {"release", "eth0"}), "'eth0'"));
  EXPECT_TRUE(has(refusal(host, {"prepare"}), "nothing to prepare"));
  EXPECT_TRUE(has(refusal(host, {"prepare", "--pf", "01:00.0"}), "go together"));
  EXPECT_TRUE(has(refusal(host, {"list", "--bind", "01:00.0"}), "--bind"));
  EXPECT_TRUE(has(refusal(host, {"prepare", "--json"}), "--json"));
  EXPECT_TRUE(has(refusal(host, {"release", "01:09.0"}), "no PCI function 0000:01:09.0"));
}

}  // namespace
}  // namespace mote
