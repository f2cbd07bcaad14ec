// SPDX-License-Identifier: Apache-2.0
// A function over a FakeFunction and FakeLines, and short words for what a guest does
// with it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "devices/vfio/function.hpp"
#include "tests/unit/devices/vfio/fake_function.hpp"
#include "tests/unit/devices/vfio/fake_lines.hpp"

namespace mote::test {

inline constexpr u32 kMsixCapability = 0x70;  // behind PCI Express and power management
inline constexpr u32 kTableBar = 3;

class VfioFunction : public testing::Test {
 protected:
  /// Makes the function of `device`, which the test goes on to look at.
  void create(std::unique_ptr<FakeFunction> device = std::make_unique<FakeFunction>()) {
    device_ = device.get();
    auto function = vfio::Function::create(std::move(device));
    ASSERT_TRUE(function) << function.error().message();
    function_ = *std::move(function);
    ASSERT_TRUE(function_->connect(lines_));
  }
  static std::string refusal(std::unique_ptr<FakeFunction> device) {
    const auto function = vfio::Function::create(std::move(device));
    return function ? "" : function.error().message();
  }

  u32 read_config(u32 offset, std::size_t size = 4) {
    std::array<std::byte, 4> data{};
    function_->read_config(offset, std::span(data).first(size));
    return static_cast<u32>(load_le(std::span(data).first(size)));
  }
  void write_config(u32 offset, u32 value, std::size_t size = 4) {
    std::array<std::byte, 4> data{};
    store_le(data, value);
    function_->write_config(offset, std::span(data).first(size));
  }
  /// Which parts of BARs the guest has without us.
  std::vector<std::pair<u32, vfio::Area>> direct() const {
    std::vector<std::pair<u32, vfio::Area>> areas;
    for (const auto& part : function_->direct()) areas.emplace_back(part.bar, part.area);
    return areas;
  }
  u32 read_bar(u32 bar, u64 offset) {
    std::array<std::byte, 4> data{};
    function_->read_bar(bar, offset, data);
    return static_cast<u32>(load_le(data));
  }
  void write_bar(u32 bar, u64 offset, u32 value) {
    std::array<std::byte, 4> data{};
    store_le(data, value);
    function_->write_bar(bar, offset, data);
  }
  /// Message and mask of a vector, as a driver writes them.
  void program(u32 vector, u32 data, bool masked) {
    write_bar(kTableBar, vector * 16 + 0, 0xfee0'1000);
    write_bar(kTableBar, vector * 16 + 8, data);
    write_bar(kTableBar, vector * 16 + 12, masked ? 1 : 0);
  }
  void switch_msix(bool on) { write_config(kMsixCapability + 2, on ? 0x8000 : 0, 2); }

  FakeFunction* device_ = nullptr;
  FakeLines lines_;
  std::unique_ptr<vfio::Function> function_;
};

}  // namespace mote::test
