// SPDX-License-Identifier: Apache-2.0
// Room for a header of KVM's with entries behind it, without an allocation. Only for vmm/kvm.
#pragma once

#include <cstddef>
#include <new>

namespace mote::kvm {

/// `Header` ends in a flexible array `entries` of `Entry`; this holds `count` of them, all zero.
template <class Header, class Entry, std::size_t count>
class FlexTable {
 public:
  static constexpr std::size_t kCapacity = count;
  FlexTable() : header_(new(storage_) Header{}) {}
  FlexTable(const FlexTable&) = delete;
  FlexTable& operator=(const FlexTable&) = delete;

  Header* operator->() { return header_; }
  Header* get() { return header_; }
  Entry& operator[](std::size_t i) { return header_->entries[i]; }

 private:
  alignas(Header) std::byte storage_[sizeof(Header) + count * sizeof(Entry)] = {};
  Header* header_;
};

}  // namespace mote::kvm
