// SPDX-License-Identifier: Apache-2.0
#include "vmm/kvm/routes.hpp"

#include <cstring>
#include <span>

#include "core/text.hpp"
#include "vmm/kvm/table.hpp"

namespace mote::kvm {
namespace {

constexpr std::size_t kMaxRoutes = 4096;  // KVM_MAX_IRQ_ROUTES, which no header tells

/// Appends the bytes of a structure of KVM's.
template <class T>
void append(std::vector<std::byte>& table, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  table.insert(table.end(), bytes.begin(), bytes.end());
}

}  // namespace

Result<u32> Routes::add() {
  const std::lock_guard guard(lock_);
  if (routes_.size() == kMaxRoutes) {
    return Error::config(
        format("the devices need more interrupts than the %zu that KVM routes", kMaxRoutes));
  }
  routes_.emplace_back();
  return static_cast<u32>(routes_.size() - 1);
}

void Routes::set(u32 gsi, const std::optional<MsiMessage>& message) {
  const std::lock_guard guard(lock_);
  if (routes_.at(gsi) == message) return;
  routes_[gsi] = message;
  u64 count = 0;  // and 32 bits of flags, of which there are none
  table_.reserve(kTableHeaderSize + routes_.size() * sizeof(kvm_irq_routing_entry));
  table_.assign(kTableHeaderSize, std::byte{0});
  for (u32 number = 0; number < routes_.size(); ++number) {
    if (!routes_[number]) continue;
    kvm_irq_routing_entry entry{};
    entry.gsi = number;
    entry.type = KVM_IRQ_ROUTING_MSI;
    entry.u.msi.address_lo = routes_[number]->address_low;
    entry.u.msi.address_hi = routes_[number]->address_high;
    entry.u.msi.data = routes_[number]->data;
    append(table_, entry);
    ++count;
  }
  std::memcpy(table_.data(), &count, kTableHeaderSize);
  vm_.set_routes(table_);
}

}  // namespace mote::kvm
