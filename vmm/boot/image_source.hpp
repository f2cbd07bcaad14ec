// SPDX-License-Identifier: Apache-2.0
// ImageSource: where a guest image's bytes come from. Used by the thread that builds the machine.
#pragma once

#include <sys/uio.h>

#include <span>
#include <string>
#include <string_view>

#include "core/fd.hpp"
#include "core/guest_memory.hpp"
#include "core/result.hpp"
#include "core/types.hpp"

namespace mote {

/// Bytes of known number that can be read at any offset. Whoever can write the file may do so at
/// any time: a caller copies what it validates, and reads nothing twice.
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  /// The role and the path, for messages: "kernel '/boot/vmlinuz'".
  virtual std::string_view name() const = 0;
  /// Bytes in the image.
  virtual u64 size() const = 0;

  /// Fills all of `out` from `offset` on. The Error (without the name) says which bytes were
  /// missing or what the host answered.
  Result<void> read_at(u64 offset, std::span<std::byte> out) const {
    return fill(offset, {out.data(), out.size()});
  }
  /// The same, straight into guest RAM. What covers whole huge pages gets them where the host gives
  /// them on request, which saves most of the time of large images.
  Result<void> read_at(u64 offset, const GuestSlice& out) const;

 private:
  virtual Result<void> fill(u64 offset, iovec out) const = 0;
};

/// An image in a regular file, read by pread(2): a file that shrinks meanwhile is an Error and not
/// a SIGBUS.
class ImageFile final : public ImageSource {
 public:
  /// Opens `path`; `role` ("kernel", "initrd") goes into messages. Anything but a regular file is
  /// refused, and never waited for.
  static Result<ImageFile> open(std::string_view role, const std::string& path);
  /// The same open file once more.
  Result<ImageFile> duplicate() const;

  std::string_view name() const override { return name_; }
  u64 size() const override { return size_; }

 private:
  ImageFile(UniqueFd fd, std::string name, u64 size)
      : fd_(std::move(fd)), name_(std::move(name)), size_(size) {}
  Result<void> fill(u64 offset, iovec out) const override;

  UniqueFd fd_;
  std::string name_;
  u64 size_;
};

/// An image in memory of the process, which must outlive it.
class MemoryImage final : public ImageSource {
 public:
  MemoryImage(std::string_view name, std::span<const std::byte> bytes)
      : name_(name), bytes_(bytes) {}

  std::string_view name() const override { return name_; }
  u64 size() const override { return bytes_.size(); }

 private:
  Result<void> fill(u64 offset, iovec out) const override;

  std::string_view name_;
  std::span<const std::byte> bytes_;
};

}  // namespace mote
