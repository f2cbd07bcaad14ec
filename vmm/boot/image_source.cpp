// SPDX-License-Identifier: Apache-2.0
// Files and memory as sources of guest images.
#include "vmm/boot/image_source.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/text.hpp"

namespace mote {
namespace {

Error ended_early(u64 offset, u64 size, u64 missing) {
  return Error::image(
      format("%lu of the %lu bytes at offset 0x%lx are missing -- the file was "
             "truncated while it was read: write images under another name and "
             "rename them",
             missing, size, offset));
}

/// Asks for huge pages in the part of `out` that fills them; a host that has none goes on without.
void advise_huge_pages(iovec out) {
  const auto base = reinterpret_cast<std::uintptr_t>(out.iov_base);
  const std::uintptr_t start = (base + kHugePageSize - 1) & ~(kHugePageSize - 1);
  const std::uintptr_t end = (base + out.iov_len) & ~(kHugePageSize - 1);
  if (start >= end) return;
  ::madvise(static_cast<std::byte*>(out.iov_base) + (start - base), end - start, MADV_HUGEPAGE);
}

}  // namespace

Result<void> ImageSource::read_at(u64 offset, const GuestSlice& out) const {
  const iovec target = out.as_iovec();
  advise_huge_pages(target);
  return fill(offset, target);
}

Result<ImageFile> ImageFile::open(std::string_view role, const std::string& path) {
  std::string name(role);
  name += " '" + path + "'";
  // O_NONBLOCK: a FIFO without a writer must not hold up the start; it is refused below.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    return Error::image(
        Error::from_errno(errno, name + ": cannot be opened", "check the path and who may read it")
            .message());
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return Error::from_errno(errno, name + ": fstat");
  if (!S_ISREG(status.st_mode)) {
    return Error::image(name + ": not a regular file -- give the image itself");
  }
  return ImageFile(std::move(fd), std::move(name), static_cast<u64>(status.st_size));
}

Result<ImageFile> ImageFile::duplicate() const {
  return ImageFile(TRY(mote::duplicate(fd_)), name_, size_);
}

Result<void> ImageFile::fill(u64 offset, iovec out) const {
  std::size_t done = 0;
  while (done < out.iov_len) {
    const ssize_t count = ::pread(fd_.get(), static_cast<std::byte*>(out.iov_base) + done,
                                  out.iov_len - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Error::from_errno(errno,
                               format("reading %zu bytes at offset 0x%lx", out.iov_len, offset));
    }
    if (count == 0) return ended_early(offset, out.iov_len, out.iov_len - done);
    done += static_cast<std::size_t>(count);
  }
  return {};
}

Result<void> MemoryImage::fill(u64 offset, iovec out) const {
  const u64 available = offset < bytes_.size() ? bytes_.size() - offset : 0;
  if (out.iov_len > available) return ended_early(offset, out.iov_len, out.iov_len - available);
  if (out.iov_len > 0) std::memcpy(out.iov_base, bytes_.data() + offset, out.iov_len);
  return {};
}

}  // namespace mote
