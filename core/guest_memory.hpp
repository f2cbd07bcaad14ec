// SPDX-License-Identifier: Apache-2.0
// Guest RAM: the only way from a guest-physical address to bytes. Any thread; the guest writes at
// the same time.
#pragma once

#include <sys/uio.h>

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "core/mapping.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// A checked view of guest RAM inside one region. It never gives out a pointer, a reference or a
/// span: what is read is copied once, and the copy is what gets validated and used.
class GuestSlice {
 public:
  GuestSlice() = default;
  u64 size() const { return size_; }

  /// Copies a T out of the guest; false when it does not fit. The copy is a snapshot: the compiler
  /// may not read guest memory again behind it.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] bool load(u64 offset, T& out) const {
    if (!holds(offset, sizeof(T))) return false;
    std::memcpy(&out, base_ + offset, sizeof(T));
    snapshot_barrier();
    return true;
  }
  /// Copies a T into the guest; false when it does not fit.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] bool store(u64 offset, const T& value) const {
    if (!holds(offset, sizeof(T))) return false;
    std::memcpy(base_ + offset, &value, sizeof(T));
    snapshot_barrier();
    return true;
  }
  /// An index that the guest writes after what it stands for: what it wrote before is seen by loads
  /// that follow. Precondition: two bytes at `offset` are there, aligned.
  u16 load_acquire(u64 offset) const {
    return __atomic_load_n(reinterpret_cast<const u16*>(base_ + offset), __ATOMIC_ACQUIRE);
  }
  /// The same in the other direction.
  void store_release(u64 offset, u16 value) const {
    __atomic_store_n(reinterpret_cast<u16*>(base_ + offset), value, __ATOMIC_RELEASE);
  }
  [[nodiscard]] bool read(u64 offset, std::span<std::byte> out) const;
  [[nodiscard]] bool write(u64 offset, std::span<const std::byte> bytes) const;
  /// Writes `size` zero bytes; false when they do not fit.
  [[nodiscard]] bool clear(u64 offset, u64 size) const;
  /// A piece of it; nothing when it does not fit.
  std::optional<GuestSlice> part(u64 offset, u64 size) const {
    if (!holds(offset, size)) return std::nullopt;
    return GuestSlice(base_ + offset, size);
  }
  /// For system calls only (readv, writev, the ring): the address leaves as an iovec or not at all.
  iovec as_iovec() const { return {base_, size_}; }

 private:
  friend class GuestMemory;
  GuestSlice(std::byte* base, u64 size) : base_(base), size_(size) {}
  bool holds(u64 offset, u64 length) const { return offset <= size_ && length <= size_ - offset; }
  /// The compiler may neither repeat nor delay accesses to guest memory across this line.
  static void snapshot_barrier() { asm volatile("" ::: "memory"); }
  std::byte* base_ = nullptr;
  u64 size_ = 0;
};

/// How guest RAM is backed.
struct GuestMemoryOptions {
  bool huge_pages = false;  ///< 2 MiB pages from the host's hugetlbfs pool; sizes must be multiples
};

/// All RAM of one guest: regions in ascending order, fixed before the first vCPU runs.
class GuestMemory {
 public:
  /// One region as KVM's memory slots want it.
  struct Region {
    GpaRange range;
    Mapping mapping;
  };

  /// Maps anonymous memory for each range (ascending, not overlapping, multiples of the page size).
  /// Nothing is populated: pages appear when the guest or the loader touches them.
  static Result<GuestMemory> create(std::span<const GpaRange> ranges,
                                    GuestMemoryOptions options = {});

  /// The view of [gpa, gpa + size), or nothing when any byte of it lies outside RAM or when it
  /// crosses from one region to the next.
  std::optional<GuestSlice> slice(Gpa gpa, u64 size) const;

  /// `slice` and `load`/`store`/`read`/`write` in one.
  template <class T>
  [[nodiscard]] bool load(Gpa gpa, T& out) const {
    const auto view = slice(gpa, sizeof(T));
    return view && view->load(0, out);
  }
  template <class T>
  [[nodiscard]] bool store(Gpa gpa, const T& value) const {
    const auto view = slice(gpa, sizeof(T));
    return view && view->store(0, value);
  }
  [[nodiscard]] bool read(Gpa gpa, std::span<std::byte> out) const;
  [[nodiscard]] bool write(Gpa gpa, std::span<const std::byte> bytes) const;

  std::span<const Region> regions() const { return regions_; }
  /// All of RAM in pieces of at most `most` bytes, in ascending order of addresses of this process
  /// within each region. For system calls only, as GuestSlice::as_iovec.
  std::vector<iovec> as_iovecs(u64 most) const;
  /// Bytes of RAM in all regions.
  u64 total_size() const;

 private:
  std::vector<Region> regions_;
};

}  // namespace mote
