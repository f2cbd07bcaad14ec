// SPDX-License-Identifier: Apache-2.0
#include "vmm/machine/unplug.hpp"

#include <utility>

namespace mote {
namespace {

/// The bridge's place, which nobody gives back: the thread is to end.
constexpr u32 kQuit = 1u << 0;

}  // namespace

Unplug::Unplug(PassedDevices& devices, Board& board, const kvm::Vm& vm, EventLoop& loop)
    : devices_(devices), board_(board), vm_(vm), loop_(loop) {
  for (std::size_t device = 0; device < devices.count(); ++device) {
    removable_ |= 1u << devices.place(device);
  }
  pci::EjectSink& sink = *this;
  board.add_unplug_ports(sink);
}

Unplug::~Unplug() {
  give(kQuit);
}

Result<void> Unplug::start(ThreadSeal seal) {
  seal_ = seal;
  thread_ =
      TRY(Thread::start("unplug", [](void* self) { static_cast<Unplug*>(self)->serve(); }, this));
  ready_.wait(false);
  return *std::move(sealed_);
}

void Unplug::ask(std::size_t device) {
  PassedState expected = PassedState::kAttached;
  states_.at(device).compare_exchange_strong(expected, PassedState::kAsked);
  if (expected == PassedState::kGone) return;
  requests_.fetch_or(1u << devices_.place(device));
  loop_.post(Completion::to<&Unplug::raise_requests>(this));
}

void Unplug::take(std::size_t device) {
  if (state(device) != PassedState::kGone) give(1u << devices_.place(device));
}

void Unplug::give(u32 orders) {
  if (orders == 0) return;
  orders_.fetch_or(orders);
  orders_.notify_one();
}

/// On the loop, which drives lines.
void Unplug::raise_requests(i32) {
  const u32 places = requests_.exchange(0);
  for (u32 place = 1; place < pci::Host::kDevices; ++place) {
    if ((places & 1u << place) != 0) board_.ask_for(place);
  }
}

void Unplug::serve() {
  sealed_.emplace(seal_ != nullptr ? seal_(ThreadRole::kUnplug) : Result<void>());
  const bool goes_on = sealed_->has_value();
  ready_.store(true);
  ready_.notify_one();
  while (goes_on) {
    orders_.wait(0);
    const u32 orders = orders_.exchange(0);
    if ((orders & kQuit) != 0) break;
    give_back(orders);
  }
  if (seal_ != nullptr && goes_on) rest_for_good();
}

void Unplug::give_back(u32 places) {
  for (std::size_t device = 0; device < devices_.count(); ++device) {
    if ((places & 1u << devices_.place(device)) == 0 || state(device) == PassedState::kGone) {
      continue;
    }
    devices_.give_back(device, board_, vm_);
    states_[device].store(PassedState::kGone);
    if (on_gone_.function != nullptr) on_gone_.function(on_gone_.context, static_cast<i32>(device));
  }
}

}  // namespace mote
