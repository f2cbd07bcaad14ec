// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/block/image.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/log.hpp"
#include "core/patience.hpp"
#include "core/text.hpp"

namespace mote::virtio {
namespace {

constexpr u32 kMaxBlockSize = 4096;

constexpr std::string_view kVhdMagic = "conectix";

struct Format {
  u64 offset;
  std::string_view magic;
  const char* name;  // as qemu-img calls it
};

constexpr Format kFormats[] = {
    {0, std::string_view("QFI\xfb\0\0\0\1", 8), "qcow"},
    {0, "QFI\xfb", "qcow2"},
    {0, std::string_view("QED\0", 4), "qed"},
    {0, "KDMV", "vmdk"},
    {0, "COWD", "vmdk"},
    {0, "# Disk DescriptorFile", "vmdk"},
    {0, "vhdxfile", "vhdx"},
    {0, kVhdMagic, "vpc"},
    {0, "WithoutFreeSpace", "parallels"},
    {0, "WithouFreSpacExt", "parallels"},
    {0x40, std::string_view("\x7f\x10\xda\xbe", 4), "vdi"},
};

/// A fixed VHD is a raw disk with its description behind it, in a last sector that old programs
/// wrote a byte too short.
constexpr u64 kVhdFooters[] = {512, 511};

std::string disk(const std::string& path) {
  return "disk '" + path + "'";
}

bool is_block_size(u32 size) {
  return std::has_single_bit(size) && size >= kSectorSize && size <= kMaxBlockSize;
}

}  // namespace

Result<BlockImage> BlockImage::open(const std::string& path, bool read_only, bool direct) {
  BlockImage image;
  image.path_ = path;
  image.read_only_ = read_only;
  const int flags = (read_only ? O_RDONLY : O_RDWR) | O_NOCTTY;
  // WHY non-blocking: a FIFO in a disk's place would wait for a writer before it can be refused.
  UniqueFd file = TRY(
      open_file(path, flags | O_NONBLOCK,
                "it is the image of a disk; name one that this user may open, or set read_only"));
  image.file_ = std::move(file);
  TRY(image.examine());
  // WHY open once more: a ring lets go of its files some time after the process has ended, and a
  // lock would last as long; and a ring on older kernels does not wait for a non-blocking file.
  image.lock_ = std::move(image.file_);
  image.file_ = TRY(image.open_again(flags));
  if (direct) {
    image.buffered_ = std::move(image.file_);
    image.file_ = TRY(image.open_again(flags | O_DIRECT));
  }
  return image;
}

Result<BlockImage> BlockImage::adopt(UniqueFd file, std::string name, bool read_only, bool direct) {
  BlockImage image;
  image.path_ = std::move(name);
  image.read_only_ = read_only;
  const int flags = ::fcntl(file.get(), F_GETFL);
  if (flags < 0) return Error::from_errno(errno, "cannot examine " + disk(image.path_));
  if ((flags & O_ACCMODE) != O_RDWR && !(read_only && (flags & O_ACCMODE) == O_RDONLY)) {
    return Error::config(disk(image.path_) +
                         (read_only ? ": its descriptor cannot be read -- open it with O_RDONLY"
                                    : ": its descriptor cannot be written -- open it with O_RDWR, "
                                      "or set read_only"));
  }
  if (direct) {
    return Error::config(disk(image.path_) +
                         ": a file that comes as a descriptor cannot be read past the page cache "
                         "-- choose another cache mode");
  }
  image.file_ = std::move(file);
  TRY(image.examine());
  image.lock_ = TRY(mote::duplicate(image.file_));
  return image;
}

Result<void> BlockImage::examine() {
  TRY(judge());
  TRY(lock());
  TRY(refuse_formats());
  warn_of_tail(TRY(bytes()));
  return look_at_blocks();
}

Result<BlockImage> BlockImage::duplicate() const {
  BlockImage copy;
  copy.path_ = path_;
  copy.lock_ = TRY(mote::duplicate(lock_));
  copy.file_ = TRY(mote::duplicate(file_));
  copy.buffered_ = TRY(mote::duplicate(buffered_));
  copy.read_only_ = read_only_;
  copy.is_device_ = is_device_;
  copy.can_discard_ = can_discard_;
  copy.block_size_ = block_size_;
  copy.physical_block_size_ = physical_block_size_;
  copy.memory_alignment_ = memory_alignment_;
  return copy;
}

/// The same file, so that nobody can put another in its place.
Result<UniqueFd> BlockImage::open_again(int flags) const {
  const std::string self = format("/proc/self/fd/%d", lock_.get());
  UniqueFd file(::open(self.c_str(), flags | O_CLOEXEC));
  if (file) return file;
  // In the sandbox there is no /proc: the path once more, if it still leads to the same file.
  if (errno == ENOENT) {
    file.reset(::open(path_.c_str(), flags | O_CLOEXEC));
    struct stat first{};
    struct stat second{};
    if (file && (::fstat(lock_.get(), &first) != 0 || ::fstat(file.get(), &second) != 0 ||
                 first.st_dev != second.st_dev || first.st_ino != second.st_ino)) {
      return Error::host(disk(path_) + ": another file was put in its place meanwhile");
    }
    if (file) return file;
  }
  return Error::from_errno(errno, "cannot open " + disk(path_) + " once more",
                           (flags & O_DIRECT) != 0
                               ? "its file system has no direct I/O; choose another cache mode"
                               : "is /proc mounted?");
}

Result<void> BlockImage::judge() {
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) {
    return Error::from_errno(errno, "cannot examine " + disk(path_));
  }
  is_device_ = S_ISBLK(status.st_mode);
  if (!is_device_ && !S_ISREG(status.st_mode)) {
    return Error::config(disk(path_) +
                         ": neither a regular file nor a block device -- name a raw image");
  }
  const u64 size = TRY(bytes());
  if (size > 0 && size < kSectorSize) {
    return Error::config(disk(path_) +
                         ": smaller than a sector of 512 bytes -- give it a size: truncate -s 1G");
  }
  return {};
}

void BlockImage::warn_of_tail(u64 bytes) const {
  const u64 tail = bytes % kSectorSize;
  if (tail == 0) return;
  log(LogLevel::kWarn,
      "%s: %lu bytes are no whole sectors of 512, the guest cannot reach the last %lu -- fill the "
      "sector up: truncate -s %lu '%s'",
      disk(path_).c_str(), bytes, tail, bytes - tail + kSectorSize, path_.c_str());
}

Result<void> BlockImage::lock() {
  struct flock whole{};
  whole.l_type = read_only_ ? F_RDLCK : F_WRLCK;
  whole.l_whence = SEEK_SET;
  Patience patience;
  while (::fcntl(file_.get(), F_OFD_SETLK, &whole) != 0) {
    if (errno != EAGAIN && errno != EACCES) {
      return Error::from_errno(errno, "cannot lock " + disk(path_));
    }
    if (!patience.wait()) return refuse_lock();
  }
  return {};
}

Error BlockImage::refuse_lock() const {
  return Error::host(
      "cannot lock " + disk(path_) +
      (read_only_ ? ": another process has it open for writing" : ": another process has it open") +
      " -- end that one, or open it with read_only in both");
}

Result<void> BlockImage::refuse_formats() const {
  const auto refusal = [&](const std::string& name) {
    return Error::config(disk(path_) + ": a " + name + " image, and Mote takes raw ones -- " +
                         "convert it: qemu-img convert -f " + name + " -O raw '" + path_ + "' '" +
                         path_ + ".raw'");
  };
  std::array<char, 128> head{};
  const ssize_t got = ::pread(file_.get(), head.data(), head.size(), 0);
  if (got < 0) return Error::from_errno(errno, "cannot read " + disk(path_));
  const std::string_view text(head.data(), static_cast<std::size_t>(got));
  for (const Format& known : kFormats) {
    if (text.size() < known.offset) continue;
    if (text.substr(known.offset).starts_with(known.magic)) return refusal(known.name);
  }
  std::array<char, kSectorSize> end{};
  const u64 size = TRY(bytes());
  if (size < end.size()) return {};
  const auto start = static_cast<off_t>(size - end.size());
  if (::pread(file_.get(), end.data(), end.size(), start) < 0) {
    return Error::from_errno(errno, "cannot read the end of " + disk(path_));
  }
  const std::string_view last(end.data(), end.size());
  for (const u64 footer : kVhdFooters) {
    if (last.substr(end.size() - footer).starts_with(kVhdMagic)) return refusal("vpc");
  }
  return {};
}

Result<void> BlockImage::look_at_blocks() {
  if (is_device_) {
    int logical = 0;
    unsigned physical = 0;
    if (::ioctl(file_.get(), BLKSSZGET, &logical) != 0 ||
        ::ioctl(file_.get(), BLKPBSZGET, &physical) != 0) {
      return Error::from_errno(errno, "cannot ask for the block size of " + disk(path_));
    }
    block_size_ = static_cast<u32>(logical);
    physical_block_size_ = std::max(physical, block_size_);
    memory_alignment_ = block_size_;
    can_discard_ = !read_only_;
  } else {
    struct statx status{};
    ::statx(file_.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &status);
    const bool known = (status.stx_mask & STATX_DIOALIGN) != 0 && status.stx_dio_offset_align != 0;
    block_size_ = known ? status.stx_dio_offset_align : static_cast<u32>(kSectorSize);
    memory_alignment_ = known ? status.stx_dio_mem_align : block_size_;
    // Behind the end there is nothing to lose.
    can_discard_ =
        !read_only_ && ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                   static_cast<off_t>(TRY(size())), 4096) == 0;
  }
  if (!is_block_size(block_size_)) {
    return Error::host(disk(path_) + format(": blocks of %u bytes are not supported, 512 to %u are",
                                            block_size_, kMaxBlockSize));
  }
  if (!std::has_single_bit(physical_block_size_)) physical_block_size_ = block_size_;
  return {};
}

bool BlockImage::is_aligned(std::span<const iovec> buffers, u64 offset) const {
  u64 lengths = offset;
  u64 addresses = 0;
  for (const iovec& buffer : buffers) {
    lengths |= buffer.iov_len;
    addresses |= reinterpret_cast<u64>(buffer.iov_base);
  }
  return lengths % block_size_ == 0 && addresses % memory_alignment_ == 0;
}

Result<u64> BlockImage::size() const {
  return TRY(bytes()) & ~(kSectorSize - 1);
}

Result<u64> BlockImage::bytes() const {
  // Devices have an end too, and nobody minds where the file is read next: all say where they read.
  const off_t end = ::lseek(file_.get(), 0, SEEK_END);
  if (end < 0) return Error::from_errno(errno, "cannot ask for the size of " + disk(path_));
  return static_cast<u64>(end);
}

}  // namespace mote::virtio
