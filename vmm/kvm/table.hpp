// SPDX-License-Identifier: Apache-2.0
// Tables that KVM takes and gives: a count, a word of flags or padding, entries. Only for vmm/kvm.
//
// WHY not the kernel's own structures: their flexible arrays are declared with an empty structure
// in front, which has a size in C++ and none in C. In C++ they have the wrong layout, and the
// requests made from their size the wrong number.
#pragma once

#include <linux/ioctl.h>

#include <cstddef>

#include "core/types.hpp"
#include "vmm/kvm/ioctl.hpp"

namespace mote::kvm {

/// Room for `capacity` entries: kvm_cpuid2, kvm_msrs or kvm_irq_routing, by the type of entry. Only
/// the first `count` entries mean anything, and the rest is left as it is: declare large ones
/// MOTE_UNINITIALIZED, so that no time goes into zeroing them.
template <class Entry, std::size_t capacity>
struct Table {
  static constexpr std::size_t kCapacity = capacity;
  u32 count = 0;
  u32 flags_or_padding = 0;
  Entry entries[capacity];
};
inline constexpr unsigned long kTableHeaderSize = 8;
static_assert(sizeof(Table<kvm_msr_entry, 1>) == kTableHeaderSize + sizeof(kvm_msr_entry));

/// The request's number as C computes it.
constexpr Request table_request(Request request) {
  constexpr unsigned long kSizeBits = static_cast<unsigned long>(_IOC_SIZEMASK) << _IOC_SIZESHIFT;
  return {(request.number & ~kSizeBits) | (kTableHeaderSize << _IOC_SIZESHIFT), request.name};
}
#define MOTE_UNINITIALIZED __attribute__((uninitialized))
#define KVM_TABLE_REQUEST(request) (::mote::kvm::table_request(KVM_REQUEST(request)))

}  // namespace mote::kvm
