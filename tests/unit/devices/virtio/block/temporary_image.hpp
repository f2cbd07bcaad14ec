// SPDX-License-Identifier: Apache-2.0
// A file for a disk, gone with the test.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "core/check.hpp"
#include "core/fd.hpp"

namespace mote::test {

class TemporaryImage {
 public:
  explicit TemporaryImage(off_t size) {
    const char* const folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr ? folder : "/tmp") + "/mote-disk-XXXXXX";
    fd_.reset(::mkostemp(path_.data(), O_CLOEXEC));
    CHECK(fd_ && ::ftruncate(fd_.get(), size) == 0, "a temporary file can be made");
  }
  ~TemporaryImage() { ::unlink(path_.c_str()); }
  TemporaryImage(const TemporaryImage&) = delete;
  TemporaryImage& operator=(const TemporaryImage&) = delete;

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  void resize(off_t size) const { CHECK(::ftruncate(fd(), size) == 0, "it can be resized"); }
  void put(off_t offset, std::string_view bytes) const {
    CHECK(::pwrite(fd(), bytes.data(), bytes.size(), offset) == static_cast<ssize_t>(bytes.size()),
          "it can be written");
  }
  std::string get(off_t offset, std::size_t size) const {
    std::string bytes(size, '\0');
    CHECK(::pread(fd(), bytes.data(), size, offset) == static_cast<ssize_t>(size), "it is there");
    return bytes;
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace mote::test
