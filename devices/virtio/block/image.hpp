// SPDX-License-Identifier: Apache-2.0
// The file behind a disk: opened, judged and locked. A raw image, or a block device of the host.
#pragma once

#include <sys/uio.h>

#include <span>
#include <string>

#include "core/fd.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote::virtio {

/// The smallest unit of a virtio disk, whatever its block size [Virtio 1.2 5.2.4].
inline constexpr u64 kSectorSize = 512;

/// An open image. Holds a lock on it for as long as it lives: a writer's keeps everybody else out,
/// a reader's only writers. Images are raw: of other formats only the name is known, to say how to
/// convert them.
class BlockImage {
 public:
  /// Opens `path`. `direct` reads and writes past the page cache. Fault::kConfig when the file is
  /// none that can be a disk, else Fault::kHost. An empty one can: it keeps a place for another.
  /// Warns of an end that no sector reaches.
  static Result<BlockImage> open(const std::string& path, bool read_only, bool direct);
  /// Takes over a file that another process has opened, for writing unless `read_only`. Messages
  /// call it `name`. Not with `direct`, which takes a second way to the file.
  static Result<BlockImage> adopt(UniqueFd file, std::string name, bool read_only, bool direct);
  /// The same open files once more. The lock lives as long as one of them.
  Result<BlockImage> duplicate() const;

  /// For requests that `is_aligned`, or all when not direct.
  int fd() const { return file_.get(); }
  /// The same file through the page cache; -1 when not direct.
  int buffered_fd() const { return buffered_.get(); }
  bool direct() const { return static_cast<bool>(buffered_); }
  bool read_only() const { return read_only_; }
  const std::string& path() const { return path_; }

  /// Whether the kernel takes this as direct I/O.
  bool is_aligned(std::span<const iovec> buffers, u64 offset) const;
  /// Bytes now, in whole sectors: it may have been resized. The Error names the file.
  Result<u64> size() const;
  /// What the host reads and writes at the least, in bytes: a power of two from 512 to 4096.
  u32 block_size() const { return block_size_; }
  /// What it does so without a detour.
  u32 physical_block_size() const { return physical_block_size_; }
  /// Whether blocks can be given back to the host.
  bool can_discard() const { return can_discard_; }

 private:
  BlockImage() = default;
  Result<UniqueFd> open_again(int flags) const;
  Result<void> examine();
  Result<void> judge();
  Result<void> lock();
  Error refuse_lock() const;
  Result<void> look_at_blocks();
  Result<void> refuse_formats() const;
  void warn_of_tail(u64 bytes) const;
  Result<u64> bytes() const;

  std::string path_;
  UniqueFd lock_;
  UniqueFd file_;
  UniqueFd buffered_;
  bool read_only_ = false;
  bool is_device_ = false;
  bool can_discard_ = false;
  u32 block_size_ = kSectorSize;
  u32 physical_block_size_ = 4096;
  u32 memory_alignment_ = 1;
};

}  // namespace mote::virtio
