// SPDX-License-Identifier: Apache-2.0
// What tests of guests on a network share: a guest at one end of a tap, and what they do to it from
// the other. Every test has a network namespace of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/kvm/net_host.hpp"

namespace mote::test {

inline constexpr int kAnswerMs = 10'000;  ///< for an answer that has to come
inline constexpr double kPatience = 120;  ///< seconds: guests that poll share the host's processors

/// The hardware address that guests here are given.
std::string guest_mac_text();
MacBytes guest_mac();

/// Of `mote run` for a guest with a network interface (`net` as --net takes it, or empty).
std::vector<std::string> arguments_for(const std::string& guest_name, const std::string& net,
                                       const std::string& words,
                                       const std::vector<std::string>& more = {});

/// CPU time of a process without its main thread, which is the first vCPU, in seconds.
double cpu_beside_the_vcpu(pid_t pid);

/// A frame of `size` bytes of a type for local experiments.
HostFrame plain_frame(const MacBytes& to, std::uint32_t size);
/// The same with a number behind its Ethernet header.
HostFrame numbered_frame(const MacBytes& to, std::uint32_t size, std::uint64_t number);
/// The answer of a guest that swaps a frame's addresses.
std::string swapped(const std::string& frame);

/// Sends the same frame again and again in a thread of its own.
class Flood {
 public:
  Flood(const HostTap& tap, HostFrame frame, int pause_us)
      : socket_(tap), frame_(std::move(frame)), thread_([this, pause_us] {
          while (!is_over_) {
            for (int i = 0; i < 32; ++i) sent_ += socket_.send(frame_);
            if (pause_us > 0) ::usleep(static_cast<useconds_t>(pause_us));
          }
        }) {}
  ~Flood() { stop(); }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  void stop() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::uint64_t sent() const { return sent_; }

 private:
  PacketSocket socket_;
  HostFrame frame_;
  std::atomic<bool> is_over_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  std::thread thread_;
};

}  // namespace mote::test
