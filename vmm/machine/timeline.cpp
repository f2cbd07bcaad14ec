// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/timeline.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "core/clock.hpp"
#include "core/text.hpp"

namespace mote {
namespace {

constexpr u8 kGuestKernelEntered = 1;
constexpr u8 kGuestInitReached = 2;

double milliseconds(u64 ns) {
  return static_cast<double>(ns) / 1e6;
}

}  // namespace

Timeline::Timeline() : process_(::getpid()) {
  add("process started", clock_ns(CLOCK_MONOTONIC) - clock_ns(CLOCK_PROCESS_CPUTIME_ID), 0);
}

void Timeline::mark(const char* what) {
  add(what, clock_ns(CLOCK_MONOTONIC), 0);
}

void Timeline::guest_mark(u8 number) {
  if (guest_marks_.fetch_add(1, std::memory_order_relaxed) >= kGuestCapacity) return;
  add("guest mark", clock_ns(CLOCK_MONOTONIC), number);
}

void Timeline::add(const char* what, u64 at_ns, u8 guest_number) {
  const std::size_t slot = used_.fetch_add(1, std::memory_order_relaxed);
  if (slot < kCapacity) moments_[slot] = {what, at_ns, guest_number};
}

std::size_t Timeline::size() const {
  return std::min(used_.load(std::memory_order_relaxed), kCapacity);
}

std::string Timeline::name(const Moment& moment) const {
  switch (moment.guest_number) {
    case 0:
      return moment.what;
    case kGuestKernelEntered:
      return "guest: kernel entered";
    case kGuestInitReached:
      return "guest: init reached";
    default:
      return format("guest: mark %u", moment.guest_number);
  }
}

std::string Timeline::table() const {
  std::string text = "       ms      +ms  boot timeline\n";
  const u64 start = moments_[0].at_ns;
  u64 before = start;
  for (std::size_t i = 0; i < size(); ++i) {
    const Moment& moment = moments_[i];
    text +=
        format("%9.3f %+8.3f  %s\n", milliseconds(moment.at_ns - start),
               milliseconds(moment.at_ns - std::min(before, moment.at_ns)), name(moment).c_str());
    before = moment.at_ns;
  }
  return text;
}

std::string Timeline::chrome_trace() const {
  std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
  const u64 start = moments_[0].at_ns;
  u64 before = start;
  for (std::size_t i = 0; i < size(); ++i) {
    const Moment& moment = moments_[i];
    const u64 from = std::min(before, moment.at_ns);
    text += format(
        "%s\n{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%d,"
        "\"tid\":1}",
        i == 0 ? "" : ",", name(moment).c_str(), moment.guest_number != 0 ? "guest" : "monitor",
        static_cast<double>(from - start) / 1e3, static_cast<double>(moment.at_ns - from) / 1e3,
        process_);
    before = moment.at_ns;
  }
  return text + "\n]}\n";
}

}  // namespace mote
