// SPDX-License-Identifier: Apache-2.0
#include "devices/virtio/block/files.hpp"

namespace mote::virtio {

Result<void> BlockFiles::add(const BlockImage& image) {
  places_[0] = TRY(loop_.add_file(image.fd()));
  if (image.direct()) places_[1] = TRY(loop_.add_file(image.buffered_fd()));
  return {};
}

void BlockFiles::exchange(const BlockImage& image, Countdown& done) {
  fds_ = {image.fd(), image.buffered_fd()};
  missing_ = places_[1] ? 2 : 1;
  error_ = 0;
  done_ = &done;
  loop_.post(Completion::to<&BlockFiles::on_exchange>(this));
}

void BlockFiles::on_exchange(i32) {
  for (u32 i = 0; i < kMost; ++i) {
    if (!places_[i]) continue;
    loop_.update_file(*places_[i], &fds_[i], Completion::to<&BlockFiles::on_updated>(this));
  }
}

void BlockFiles::on_updated(i32 result) {
  if (result < 0) error_ = -result;
  if (--missing_ == 0) done_->arrive();
}

}  // namespace mote::virtio
