// SPDX-License-Identifier: Apache-2.0
// The driver's side of a virtio network device [Virtio 1.2 5.1]. First vCPU, ring 0 or 3.
#include "guests/kit/net.hpp"

#include "guests/kit/arena.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit::net {
namespace {

constexpr u64 kPatienceUs = 10'000'000;
constexpr u64 kPage = 4096;
constexpr u64 kReceiveBytes = 4 * kMiB;  // of each pair
constexpr u32 kSlotSize = 64 * kKiB + 256;
constexpr u16 kTransmitSlots = 32;
constexpr u32 kMergedBuffer = 2048;
static_assert(kSlotSize >= Interface::kMaxPacket);

}  // namespace

bool Interface::find(const BootInfo& info) {
  const std::string_view line(info.command_line);
  const auto skip = static_cast<u32>(find_number(line, "net", 0));
  if (!virtio::find_device(line, kDeviceId, skip, transport_)) {
    return expect("net.found", false, "no network device number ", skip,
                  " on the command line or the PCI bus");
  }
  const u32 version = transport_.get(virtio::Register::kVersion);
  return version == virtio::kModernVersion ||
         expect("net.version", false, "version ", version, " of the registers instead of 2");
}

bool Interface::negotiate(u64 features) {
  if (!transport_.reset()) return false;
  u64 agreed = transport_.device_features() & kKnownFeatures & features;
  // What rests on another feature goes with it [5.1.3.1].
  if ((agreed & kTakesPartialChecksum) == 0) agreed &= ~kTakesLarge;
  if ((agreed & kHasChecksum) == 0) agreed &= ~(kHasTso4 | kHasTso6 | kHasUso);
  if ((agreed & kHasControl) == 0) agreed &= ~(kHasMultiQueue | kHasAnnounce | kHasGuestOffloads);
  features_ = agreed;
  return transport_.negotiate(agreed);
}

u16 Interface::control_index() const {
  const u16 pairs = has(kHasMultiQueue) ? config<u16>(Config::kPairsMax) : u16{1};
  return static_cast<u16>(2 * pairs);
}

bool Interface::allocate(u16 pair) {
  Pair& memory = memory_[pair];
  if (memory.free != nullptr) return true;
  memory.receive = static_cast<u8*>(take_memory(kReceiveBytes, kPage));
  memory.transmit = static_cast<u8*>(take_memory(u64{kTransmitSlots} * kSlotSize, kPage));
  memory.free = static_cast<u16*>(take_memory(kTransmitSlots * sizeof(u16), kPage));
  if (assembly_ == nullptr) assembly_ = static_cast<u8*>(take_memory(kSlotSize, kPage));
  return memory.free != nullptr && assembly_ != nullptr;
}

bool Interface::start(const Wish& wish) {
  if (!negotiate(wish.features | virtio::kVersion1)) return false;
  pairs_ = wish.pairs;
  if (pairs_ == 0 || pairs_ > kMaxPairs || (pairs_ > 1 && !has(kHasMultiQueue))) return false;
  buffer_size_ = wish.buffer_size;
  if (buffer_size_ == 0) buffer_size_ = has(kMergesBuffers) ? kMergedBuffer : kSlotSize;
  buffers_wanted_ = wish.buffers;
  for (u16 pair = 0; pair < pairs_; pair++) {
    if (!allocate(pair) || !start_queue(receive_index(pair), wish.queue_size) ||
        !start_queue(transmit_index(pair), wish.queue_size)) {
      return false;
    }
  }
  if (has(kHasControl)) {
    if (control_index() >= kMaxQueues || !start_queue(control_index(), 16)) return false;
  }
  transport_.add_status(virtio::kDriverOk);
  for (u16 pair = 0; pair < pairs_; pair++) {
    if (!fill(pair)) return false;
    publish(receive_index(pair));
  }
  if (pairs_ > 1 && wish.uses_pairs && use_pairs(pairs_) != kOk) return false;
  return (transport_.status() & virtio::kNeedsReset) == 0;
}

bool Interface::start_queue(u16 index, u16 size) {
  if (!has_memory_[index] && !queues_[index].allocate()) return false;
  has_memory_[index] = true;
  const u32 max = transport_.queue_size_max(index);
  if (max == 0 || max > 0x8000) return false;
  if (size > max) size = static_cast<u16>(max);
  if (size > virtio::Virtqueue::kMaxSize) size = virtio::Virtqueue::kMaxSize;
  queues_[index].start(size, has(virtio::kEventIndex));
  if (index % 2 == 1 && index / 2 < pairs_) {
    Pair& memory = memory_[index / 2];
    memory.transmit_slots = size < kTransmitSlots ? size : kTransmitSlots;
    memory.free_count = memory.transmit_slots;
    for (u16 i = 0; i < memory.free_count; i++) memory.free[i] = i;
    // Completions are looked for when room is short.
    queues_[index].suppress_interrupts();
  }
  transport_.set_up_queue(index, size, queues_[index].rings());
  return transport_.get(virtio::Register::kQueueReady) == 1;
}

bool Interface::fill(u16 pair) {
  Pair& memory = memory_[pair];
  virtio::Virtqueue& queue = receive_queue(pair);
  const u64 room = kReceiveBytes / buffer_size_;
  const u64 wanted = buffers_wanted_ < queue.size() ? buffers_wanted_ : queue.size();
  memory.receive_slots = static_cast<u16>(room < wanted ? room : wanted);
  for (u16 i = 0; i < memory.receive_slots; i++) {
    queue.descriptor(i) = {reinterpret_cast<u64>(memory.receive + u64{i} * buffer_size_),
                           buffer_size_, virtio::kDeviceWrites, 0};
    queue.offer_raw(i);
  }
  return memory.receive_slots > 0 || wanted == 0;
}

Mac Interface::mac() const {
  Mac mac;
  for (u32 i = 0; i < sizeof(mac.bytes); i++) mac.bytes[i] = transport_.config<u8>(i);
  return mac;
}

void Interface::publish(u16 index) {
  queues_[index].publish();
  if (!queues_[index].needs_kick()) return;
  kicks_++;
  transport_.notify(index);
}

bool Interface::refuse(const char* reason) {
  malformed_++;
  malformed_reason_ = reason;
  return false;
}

void Interface::reap(u16 pair) {
  Pair& memory = memory_[pair];
  virtio::Used used{};
  while (transmit_queue(pair).pop_raw(used)) {
    if (used.head >= memory.transmit_slots || memory.free_count == memory.transmit_slots) {
      refuse("a transmitted head that was not in use");
      continue;
    }
    memory.free[memory.free_count++] = static_cast<u16>(used.head);
  }
}

bool Interface::send(const Header& header, const void* data, u32 size, u16 pair) {
  Pair& memory = memory_[pair];
  if (size > frame::kMaxSize) return false;
  const auto has_room = [&] {
    reap(pair);
    return memory.free_count > 0;
  };
  if (!has_room() && !wait_until(has_room, kPatienceUs)) return false;
  const u16 slot = memory.free[--memory.free_count];
  u8* buffer = memory.transmit + u64{slot} * kSlotSize;
  __builtin_memcpy(buffer, &header, kHeaderSize);
  __builtin_memcpy(buffer + kHeaderSize, data, size);
  virtio::Virtqueue& queue = transmit_queue(pair);
  queue.descriptor(slot) = {reinterpret_cast<u64>(buffer), kHeaderSize + size, 0, 0};
  queue.offer_raw(slot);
  publish(transmit_index(pair));
  return true;
}

bool Interface::drain(u16 pair) {
  const auto is_empty = [this, pair] {
    reap(pair);
    return memory_[pair].free_count == memory_[pair].transmit_slots;
  };
  return wait_until(is_empty, kPatienceUs);
}

// Takes one used buffer, the first of a frame when `at` is 0, and appends its bytes.
bool Interface::take_part(u16 pair, Packet& packet, u32& at) {
  Pair& memory = memory_[pair];
  virtio::Virtqueue& queue = receive_queue(pair);
  virtio::Used used{};
  if (!queue.pop_raw(used)) return false;
  if (used.head >= memory.receive_slots) return refuse("a head that was not offered");
  const auto slot = static_cast<u16>(used.head);
  const u8* buffer = memory.receive + u64{slot} * buffer_size_;
  u32 skip = 0;
  bool is_right = used.length <= buffer_size_ && used.length > 0;
  if (is_right && packet.buffers == 0) {
    is_right = used.length >= kHeaderSize;
    if (is_right) __builtin_memcpy(&packet.header, buffer, kHeaderSize);
    skip = kHeaderSize;
  }
  is_right = is_right && at + used.length - skip <= frame::kMaxSize;
  if (is_right) {
    __builtin_memcpy(assembly_ + at, buffer + skip, used.length - skip);
    at += used.length - skip;
    packet.buffers++;
    // Each but the last is full [5.1.6.4: "enough contiguous bytes"].
    if (packet.buffers < packet.header.buffers && used.length != buffer_size_) {
      is_right = refuse("a buffer in the middle of a frame that is not full");
    }
  } else {
    refuse("a length that does not fit");
  }
  queue.offer_raw(slot);
  return is_right;
}

bool Interface::receive(Packet& packet, u16 pair) {
  if (!receive_queue(pair).has_used()) return false;
  packet = {};
  packet.data = assembly_;
  u32 at = 0;
  bool is_right = take_part(pair, packet, at);
  if (is_right &&
      (packet.header.buffers == 0 || (packet.header.buffers > 1 && !has(kMergesBuffers)))) {
    is_right = refuse("num_buffers is 0, or more than one that do not merge");
  }
  while (is_right && packet.buffers < packet.header.buffers) {
    if (!receive_queue(pair).has_used()) {
      is_right = refuse("the buffers of a frame are not published at once");
      break;
    }
    is_right = take_part(pair, packet, at);
  }
  packet.size = at;
  publish(receive_index(pair));
  return is_right;
}

bool Interface::await(Packet& packet, u64 microseconds, u16 pair) {
  return wait_until([&] { return receive(packet, pair); }, microseconds);
}

u8 Interface::control(u8 command_class, u8 command, const void* data, u32 size) {
  struct Request {
    u8 head[2];
    u8 answer;
  };
  static Request request;
  request.head[0] = command_class;
  request.head[1] = command;
  __atomic_store_n(&request.answer, kNoAnswer, __ATOMIC_RELEASE);
  if (!has(kHasControl)) return kNoAnswer;
  const u16 index = control_index();
  virtio::Virtqueue& queue = queues_[index];
  u16 head = 0;
  const virtio::Segment with_data[] = {virtio::readable(&request.head),
                                       virtio::readable(static_cast<const u8*>(data), size),
                                       virtio::writable(&request.answer)};
  const virtio::Segment without[] = {with_data[0], with_data[2]};
  const auto segments = size == 0 ? std::span<const virtio::Segment>(without)
                                  : std::span<const virtio::Segment>(with_data);
  if (!queue.add(segments, head)) return kNoAnswer;
  publish(index);
  virtio::Used used{};
  if (!wait_until([&] { return queue.pop(used); }, kPatienceUs)) return kNoAnswer;
  return __atomic_load_n(&request.answer, __ATOMIC_ACQUIRE);
}

}  // namespace kit::net
