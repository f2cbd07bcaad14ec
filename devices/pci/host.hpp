// SPDX-License-Identifier: Apache-2.0
// The host bridge: bus 0 with its functions, reached through ports and memory, and the windows in
// which their BARs lie.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/bus.hpp"
#include "core/gate.hpp"
#include "core/result.hpp"
#include "core/types.hpp"
#include "devices/pci/config_space.hpp"
#include "devices/pci/function.hpp"

namespace mote::pci {

/// Ranges of addresses for BARs.
struct Windows {
  GpaRange below_4g;
  GpaRange above_4g;
};

/// Bus 0 of segment 0. Device 0 is the bridge itself, the functions are function 0 of those behind
/// it. Complete before the first vCPU runs; from then on functions can only leave it.
class Host {
 public:
  static constexpr u32 kDevices = 32;
  static constexpr u64 kEcamSize = u64{kDevices} * 8 * kConfigSize;
  static constexpr u64 kPortCount = 8;

  /// All that the guest can change here; plain data. Functions save their own.
  struct State {
    u32 address = 0;  ///< as written to CF8h
    ConfigSpace::State bridge;
    bool operator==(const State&) const = default;
  };

  explicit Host(const Windows& windows);

  /// Puts `function`, which outlives this, on the next free device, places its BARs and claims
  /// their homes on `mmio`: prefetchable ones of 64 bits above 4 GiB, others below while there is
  /// room. Returns the device's number. An Error: no device or no room is left.
  Result<u32> add(Function& function, Bus& mmio);

  /// Takes the function of `device`, which `add` returned, off the bus: configuration space and
  /// BARs read as ones. Returns when no access is in the function any more, and none comes after.
  /// Any thread but those of accesses; may be repeated.
  void remove(u32 device) { gates_.at(device).close(); }

  /// The configuration space as memory: kEcamSize bytes [PCIe-5.0 7.2.2].
  IoDevice& ecam() { return ecam_; }
  /// The configuration space by ports CF8h and CFCh: kPortCount of them [PCI-3.0 3.2.2.3.2].
  IoDevice& ports() { return ports_; }

  State save() const;
  /// Takes any State.
  void restore(const State& state);

 private:
  class Bridge final : public Function {
   public:
    Bridge();
    std::string_view name() const override { return "pci host bridge"; }
    Bars bars() const override { return {}; }
    void place_bar(u32, Gpa) override {}
    bool answers(u32) const override { return false; }
    void read_config(u32 offset, std::span<std::byte> data) override;
    void write_config(u32 offset, std::span<const std::byte> data) override;
    void read_bar(u32, u64, std::span<std::byte> data) override { fill_ones(data); }
    void write_bar(u32, u64, std::span<const std::byte>) override {}
    ConfigSpace::State save() const;
    void restore(const ConfigSpace::State& state);

   private:
    mutable std::mutex lock_;
    ConfigSpace config_;
  };

  class Ecam final : public IoDevice {
   public:
    explicit Ecam(Host& host) : host_(host) {}
    std::string_view name() const override { return "pci ecam"; }
    void read(u64 offset, std::span<std::byte> data) override;
    void write(u64 offset, std::span<const std::byte> data) override;

   private:
    Host& host_;
  };

  class Ports final : public IoDevice {
   public:
    explicit Ports(Host& host) : host_(host) {}
    std::string_view name() const override { return "pci ports"; }
    void read(u64 offset, std::span<std::byte> data) override;
    void write(u64 offset, std::span<const std::byte> data) override;

   private:
    Host& host_;
  };

  /// A BAR on the bus.
  class Home final : public IoDevice {
   public:
    Home(Function& function, Gate& gate, u32 bar) : function_(function), gate_(gate), bar_(bar) {}
    std::string_view name() const override { return "pci bar"; }
    void read(u64 offset, std::span<std::byte> data) override;
    void write(u64 offset, std::span<const std::byte> data) override;

   private:
    Function& function_;
    Gate& gate_;
    const u32 bar_;
  };

  u32 address() const;
  void set_address(u32 address);
  void read_config(u64 address, std::span<std::byte> data);
  void write_config(u64 address, std::span<const std::byte> data);
  std::optional<u32> find(u64 address) const;
  Result<Gpa> take_room(const Bar& bar, std::string_view name);

  Bridge bridge_;
  Ecam ecam_{*this};
  Ports ports_{*this};
  std::array<Function*, kDevices> functions_{};
  std::array<Gate, kDevices> gates_;
  std::vector<std::unique_ptr<Home>> homes_;
  GpaRange below_4g_;  // what is left
  GpaRange above_4g_;
  mutable std::mutex lock_;
  u32 address_ = 0;  // as written to CF8h
};

}  // namespace mote::pci
