// SPDX-License-Identifier: Apache-2.0
#include "guests/kit/witness.hpp"

#include "guests/kit/arena.hpp"
#include "guests/kit/pattern.hpp"
#include "guests/kit/report.hpp"

namespace kit {
namespace {

constexpr u64 kGuardSize = 64 * kKiB;
constexpr u64 kGuardSeed = 0x6A;

}  // namespace

bool Witness::prepare() {
  guard_ = static_cast<u8*>(take_memory(kGuardSize, 4096));
  data_ = static_cast<u8*>(take_memory(kMiB, 4096));
  page_ = static_cast<u8*>(take_memory(kGuardSize, 4096));
  if (guard_ == nullptr || data_ == nullptr || page_ == nullptr) return false;
  fill_pattern(guard_, kGuardSize, 0, kGuardSeed);
  return true;
}

void Witness::judge(std::string_view group, std::string_view name, std::string_view seen,
                    bool is_allowed, bool is_back) {
  const bool is_whole = find_difference(guard_, kGuardSize, 0, kGuardSeed) == kGuardSize;
  if (is_allowed && is_back && is_whole) {
    print("PASS ", group, '.', name, '\n');
  } else {
    print("FAIL ", group, '.', name, ": saw ", seen, is_back ? "" : ", does not recover",
          is_whole ? "" : ", wrote elsewhere", '\n');
  }
}

}  // namespace kit
