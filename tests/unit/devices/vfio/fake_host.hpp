// SPDX-License-Identifier: Apache-2.0
// A folder with the /sys, /dev and /proc of a host with an SR-IOV network card, and a kernel that
// acts on what is written there.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "devices/vfio/host_functions.hpp"

namespace mote::test {

/// Has 0000:01:00.0, a physical function that can have 7 virtual ones, driver igb, group 11.
/// Virtual ones are 0000:01:10.0, 0000:01:10.2 and so on, driver igbvf, groups from 20 on.
class FakeHost final : public vfio::HostFunctions {
 public:
  FakeHost() : FakeHost(make_root()) {}
  ~FakeHost() override { std::filesystem::remove_all(root_); }

  /// What was written, as "file text", paths without their folder.
  const std::vector<std::string>& writes() const { return writes_; }
  /// vfio-pci refuses all functions from now on.
  void refuse_binding() { refuses_ = true; }

  void add(const std::string& address, const std::string& driver, const std::string& group,
           const std::string& class_code = "0x020000") const {
    const auto folder = device(address);
    std::filesystem::create_directories(folder);
    put(folder / "vendor", "0x8086\n");
    put(folder / "device", "0x10ca\n");
    put(folder / "class", class_code + "\n");
    put(folder / "driver_override", "(null)\n");
    if (!group.empty()) {
      std::filesystem::create_directory_symlink("../../../kernel/iommu_groups/" + group,
                                                folder / "iommu_group");
    }
    attach(address, driver);
  }
  void put(const std::filesystem::path& path, const std::string& text) const {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::filesystem::path device(const std::string& address) const {
    return root_ + "/sys/bus/pci/devices/" + address;
  }
  const std::string& root() const { return root_; }

 protected:
  Result<void> write(const std::string& path, const std::string& text) const override {
    const std::filesystem::path file(path);
    writes_.push_back(file.filename().string() + " " + text);
    if (file.filename() == "drivers_probe") {
      const bool wants_vfio = override_of(text) == "vfio-pci";
      if (wants_vfio && refuses_) return {};
      const bool is_virtual = std::filesystem::is_symlink(device(text) / "physfn");
      attach(text, wants_vfio ? "vfio-pci" : is_virtual ? "igbvf" : "igb");
      return {};
    }
    if (file.filename() == "unbind") {
      std::filesystem::remove(device(text) / "driver");
      return {};
    }
    TRY(HostFunctions::write(path, text));
    if (file.filename() == "sriov_numvfs") make_virtuals(static_cast<u32>(std::stoul(text)));
    return {};
  }

 private:
  explicit FakeHost(std::string root) : HostFunctions(root), root_(std::move(root)) {
    put(root_ + "/proc/interrupts", " 24: 0 IR-PCI-MSI 0-edge eth0\n");
    put(root_ + "/dev/vfio/vfio", "");
    std::filesystem::create_directories(root_ + "/sys/bus/pci/drivers/vfio-pci");
    put(root_ + "/sys/bus/pci/drivers_probe", "");
    add("0000:01:00.0", "igb", "11");
    put(device("0000:01:00.0") / "sriov_totalvfs", "7\n");
    put(device("0000:01:00.0") / "sriov_numvfs", "");
  }
  static std::string make_root() {
    std::string root = testing::TempDir() + "mote_host_XXXXXX";
    EXPECT_NE(::mkdtemp(root.data()), nullptr);
    return root;
  }
  std::string override_of(const std::string& address) const {
    std::string text;
    std::getline(std::ifstream(device(address) / "driver_override"), text);
    return text.substr(0, 8);
  }
  void attach(const std::string& address, const std::string& driver) const {
    if (driver.empty()) return;
    std::filesystem::create_directories(root_ + "/sys/bus/pci/drivers/" + driver);
    std::filesystem::create_directory_symlink("../../../../bus/pci/drivers/" + driver,
                                              device(address) / "driver");
    if (driver != "vfio-pci") return;
    const auto group = std::filesystem::read_symlink(device(address) / "iommu_group").filename();
    put(root_ + "/dev/vfio/" + group.string(), "");
  }
  void make_virtuals(u32 count) const {
    const auto physical = device("0000:01:00.0");
    for (u32 i = 0; i < 7; ++i) {
      std::filesystem::remove(physical / ("virtfn" + std::to_string(i)));
      std::filesystem::remove_all(device("0000:01:10." + std::to_string(2 * i)));
    }
    for (u32 i = 0; i < count; ++i) {
      const std::string address = "0000:01:10." + std::to_string(2 * i);
      add(address, "igbvf", std::to_string(20 + i));
      std::filesystem::create_directory_symlink("../0000:01:00.0", device(address) / "physfn");
      std::filesystem::create_directory_symlink("../" + address,
                                                physical / ("virtfn" + std::to_string(i)));
    }
  }

  std::string root_;
  mutable std::vector<std::string> writes_;
  bool refuses_ = false;
};

}  // namespace mote::test
