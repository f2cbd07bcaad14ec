// SPDX-License-Identifier: Apache-2.0
// What a disk did with something that no driver should do. First vCPU, ring 3.
#include "guests/kit/hostile.hpp"

#include "guests/kit/arena.hpp"
#include "guests/kit/pattern.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit::hostile {
namespace {

constexpr u64 kSliceUs = 500;
constexpr u32 kGoodSize = 4096;
constexpr u64 kGoodSector = 8;
constexpr u64 kGoodSeed = 0x600D;

}  // namespace

std::string_view describe(u32 seen) {
  switch (seen) {
    case kReset:
      return "needs reset";
    case kError:
      return "error";
    case kOkay:
      return "okay";
    case kSilence:
      return "silence";
    default:
      return "something else";
  }
}

bool Victim::prepare(block::Disk& disk) {
  disk_ = &disk;
  good_ = static_cast<u8*>(take_memory(kGoodSize, 4096));
  if (!witness_.prepare() || good_ == nullptr) return false;
  fill_pattern(good_, kGoodSize, 0, kGoodSeed);
  return disk.start() && disk.write(kGoodSector, good_, kGoodSize) == block::kOk && recovers();
}

u32 Victim::watch(const u8* status, u64 patience_us) {
  const virtio::Virtqueue& queue = disk_->queue();
  for (u64 waited = 0; waited < patience_us; waited += kSliceUs) {
    if (wait_until([&queue] { return queue.has_used(); }, kSliceUs)) {
      return __atomic_load_n(status, __ATOMIC_ACQUIRE) == block::kOk ? kOkay : kError;
    }
    if (disk_->transport().needs_reset()) return kReset;
  }
  return kSilence;
}

bool Victim::recovers() {
  if (!disk_->start()) {
    print("cannot start again, status ", hex(disk_->transport().status()), '\n');
    return false;
  }
  __builtin_memset(good_, 0, kGoodSize);
  const u8 status = disk_->read(kGoodSector, good_, kGoodSize);
  const u64 same = find_difference(good_, kGoodSize, 0, kGoodSeed);
  if (status == block::kOk && same == kGoodSize) return true;
  print("good read: status ", status, ", same up to ", same, '\n');
  return false;
}

void Victim::judge(std::string_view group, std::string_view name, u32 seen, u32 allowed) {
  witness_.judge(group, name, describe(seen), (seen & allowed) != 0, recovers());
}

}  // namespace kit::hostile
