// SPDX-License-Identifier: Apache-2.0
// Memory for broken requests to name, memory that none of them may touch, and the verdict on what a
// device did. First vCPU, ring 3.
#pragma once

#include <string_view>

#include "guests/kit/types.hpp"

namespace kit {

class Witness {
 public:
  /// Takes its memory. False when there is not enough.
  bool prepare();

  /// A buffer of a MiB for requests to name.
  u8* data() { return data_; }
  /// 64 KiB for headers, tables and answers.
  u8* page() { return page_; }

  /// Reports the case `group`, a dot and `name`: PASS when `seen` was allowed, the device `is_back`
  /// after a reset, and memory that no request named kept its content.
  void judge(std::string_view group, std::string_view name, std::string_view seen, bool is_allowed,
             bool is_back);

 private:
  u8* data_ = nullptr;
  u8* page_ = nullptr;
  u8* guard_ = nullptr;
};

}  // namespace kit
