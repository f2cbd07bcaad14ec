// SPDX-License-Identifier: Apache-2.0
// The network device as a whole: features, configuration space, control queue, queue pairs, state.
#include "devices/virtio/net/net.hpp"

#include "devices/virtio/mmio.hpp"
#include "tests/unit/devices/minimal/fakes.hpp"
#include "tests/unit/devices/virtio/net/fixture.hpp"

namespace mote::virtio {
namespace {

using test::comes_true;
using test::Desc;
using test::kWrite;
using test::numbered_frame;
using namespace net_feature;  // NOLINT: this file is about them

struct NetDeviceTest : test::NetTest {
  explicit NetDeviceTest(u32 pairs = 1) : NetTest(pairs) {}

  bool third_is_control = false;
  u32 control() const { return third_is_control ? 2 : net->queue_count() - 1; }
  /// Sends a command; the acknowledgement, 255 when there was none.
  u8 command(u8 command_class, u8 number, std::string_view bytes) {
    const std::string all =
        std::string{static_cast<char>(command_class), static_cast<char>(number)};
    put(kData, all + std::string(bytes));
    put(kData + 0x100, "\xff");
    std::vector<Desc> chain = {{kData, 2}};
    if (!bytes.empty()) chain.push_back({kData + 2, static_cast<u32>(bytes.size())});
    chain.push_back({kData + 0x100, 1, kWrite});
    driver(control()).add(chain);
    kick(control());
    const auto used = take(control());
    EXPECT_TRUE(used && used->written == 1);
    return static_cast<u8>(get(kData + 0x100, 1)[0]);
  }
  u8 set_pairs(u16 pairs) {
    return command(4, 0, {reinterpret_cast<const char*>(&pairs), sizeof(pairs)});
  }
  u8 set_offloads(u64 offloads) {
    return command(5, 0, {reinterpret_cast<const char*>(&offloads), sizeof(offloads)});
  }
  u16 config16(u64 offset) {
    u16 value = 0;
    net->read_config(offset, std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
  u16 status() { return config16(6); }
};

TEST_F(NetDeviceTest, OffersWhatThePortBears) {
  wire.features = kCsum | kGuestCsum | kHostTso4 | kGuestTso4 | (u64{1} << 60);
  make();
  EXPECT_EQ(net->type(), 1u);
  EXPECT_EQ(net->queue_count(), 3u);
  EXPECT_EQ(net->features(), kCsum | kGuestCsum | kHostTso4 | kGuestTso4 | kCtrlGuestOffloads |
                                 kMac | kStatus | kMrgRxbuf | kCtrlVq | kGuestAnnounce);
}

TEST_F(NetDeviceTest, OffersNoOffloadsThatThePortLacks) {
  wire.features = 0;
  options.mtu = 9000;
  make();
  EXPECT_EQ(net->features(), kMac | kStatus | kMrgRxbuf | kCtrlVq | kGuestAnnounce | kMtu);
}

TEST_F(NetDeviceTest, TheConfigurationSpaceDescribesTheInterface) {
  options.mtu = 9000;
  make();
  std::array<std::byte, 16> bytes{};
  net->read_config(0, bytes);
  const u8 expected[16] = {2, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0x28, 0x23};
  EXPECT_EQ(std::memcmp(bytes.data(), expected, sizeof(expected)), 0);
  for (const u64 offset : {u64{12}, ~u64{0} - 3, ~u64{0}}) EXPECT_EQ(config16(offset), 0) << offset;
  EXPECT_EQ(config16(11), 0x23);
}

TEST_F(NetDeviceTest, ThePortHearsWhatWasNegotiated) {
  make();
  EXPECT_EQ(wire.offloads, ~u64{0}) << "nothing before";
  net->set_driver_features(kGuestCsum | kGuestTso4 | kCsum | kHostTso4 | test::kQueueFeatures);
  EXPECT_EQ(wire.offloads, kGuestCsum | kGuestTso4);
  net->reset();
  net->set_driver_features(test::kQueueFeatures);
  EXPECT_EQ(wire.offloads, 0u);
  net->reset();
  net->set_driver_features(kGuestTso4 | test::kQueueFeatures);
  EXPECT_EQ(wire.offloads, 0u) << "segments without checksums make no sense";
}

TEST_F(NetDeviceTest, OffloadsAreTheDriversToSwitch) {
  open();
  EXPECT_EQ(set_offloads(0), 0);
  EXPECT_EQ(wire.offloads, 0u);
  EXPECT_EQ(set_offloads(kGuestCsum | kGuestTso6), 0);
  EXPECT_EQ(wire.offloads, kGuestCsum | kGuestTso6);
  EXPECT_EQ(net->settings().offloads, kGuestCsum | kGuestTso6);
  EXPECT_EQ(set_offloads(kGuestTso6), 1);
  EXPECT_EQ(set_offloads(kGuestCsum | kCsum), 1);
  EXPECT_EQ(set_offloads(~u64{0}), 1);
  EXPECT_EQ(wire.offloads, kGuestCsum | kGuestTso6) << "refused commands change nothing";
  wire.fails = true;
  EXPECT_EQ(set_offloads(0), 1);
  EXPECT_EQ(net->settings().offloads, kGuestCsum | kGuestTso6);
}

TEST_F(NetDeviceTest, CommandsOfWrongSizesAndKindsAreErrors) {
  open();
  EXPECT_EQ(command(5, 0, std::string(7, '\0')), 1);
  EXPECT_EQ(command(5, 0, std::string(9, '\0')), 1);
  EXPECT_EQ(command(5, 0, std::string(200, '\0')), 1);
  EXPECT_EQ(command(5, 0, ""), 1);
  EXPECT_EQ(command(3, 0, "x"), 1);
  EXPECT_EQ(command(4, 0, std::string("\1\0", 2)), 1) << "there is one pair only";
  for (u32 command_class = 0; command_class < 10; ++command_class) {
    EXPECT_EQ(command(static_cast<u8>(command_class), 1, std::string(8, '\0')), 1);
  }
  driver(control()).add({{kData, 1}, {kData + 0x100, 1, kWrite}});
  kick(control());
  ASSERT_TRUE(take(control()));
  EXPECT_EQ(get(kData + 0x100, 1), "\1");
  driver(control()).add({{kData + 0x100, 1, kWrite}});
  kick(control());
  ASSERT_TRUE(take(control()));
  EXPECT_EQ(events.broken, 0u);
}

TEST_F(NetDeviceTest, ACommandWithoutRoomForTheAnswerBreaksTheQueue) {
  open();
  driver(control()).add({{kData, 2}});
  kick(control());
  EXPECT_TRUE(comes_true([&] { return events.broken == 1; }));
}

TEST_F(NetDeviceTest, TheLinkGoesDownAndUp) {
  open();
  EXPECT_EQ(status(), 1);
  net->set_link(true);
  EXPECT_EQ(events.config, 0u);
  const u32 before = net->config_generation();
  net->set_link(false);
  EXPECT_EQ(status(), 0);
  EXPECT_EQ(events.config, 1u);
  EXPECT_NE(net->config_generation(), before);
  stop_all();
  net->reset();
  EXPECT_EQ(status(), 0) << "a reset plugs no cable in";
  start_all();
  net->set_link(true);
  EXPECT_EQ(status(), 1);
}

TEST_F(NetDeviceTest, TheDriverAnnouncesItselfOnce) {
  open();
  net->announce();
  EXPECT_EQ(status(), 3);
  EXPECT_EQ(events.config, 1u);
  EXPECT_EQ(command(3, 0, ""), 0);
  EXPECT_EQ(status(), 1);
}

TEST_F(NetDeviceTest, WhoCannotAnnounceIsNotAsked) {
  open(~kGuestAnnounce);
  net->announce();
  EXPECT_EQ(status(), 1);
  EXPECT_EQ(events.config, 0u);
}

struct NetPairsTest : NetDeviceTest {
  NetPairsTest() : NetDeviceTest(4) {}

  void expect_arrival(u32 pair) {
    const u32 queue = 2 * pair;
    driver(queue).add({{kData + 0x10000 * (pair + 1), 2000, kWrite}});
    kick(queue);
    ASSERT_TRUE(wire.send({}, numbered_frame(pair, 100), pair));
    ASSERT_TRUE(take(queue)) << pair;
    EXPECT_EQ(get(kData + 0x10000 * (pair + 1) + 12, 100), numbered_frame(pair, 100));
  }
  void expect_departure(u32 pair) {
    driver(2 * pair + 1).put(kData, NetHeader{});
    put(kData + 12, numbered_frame(pair, 100));
    driver(2 * pair + 1).add({{kData, 112}});
    kick(2 * pair + 1);
    ASSERT_TRUE(take(2 * pair + 1));
    const auto received = wire.receive(pair);
    ASSERT_TRUE(received);
    EXPECT_EQ(received->frame, numbered_frame(pair, 100));
  }
};

TEST_F(NetPairsTest, PairsComeIntoUseWhenTheDriverSaysSo) {
  open(~u64{0}, 2);
  EXPECT_EQ(net->queue_count(), 9u);
  EXPECT_EQ(config16(8), 4);
  EXPECT_EQ(wire.pairs, 1u);
  expect_arrival(0);
  ASSERT_TRUE(wire.send({}, numbered_frame(3, 100), 3));
  settle();
  pollfd ready{wire.device[3].get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 1) << "nobody reads from a pair that is not in use";
  EXPECT_EQ(set_pairs(4), 0);
  EXPECT_EQ(wire.pairs, 4u);
  EXPECT_TRUE(comes_true([&] { return ::poll(&ready, 1, 0) == 0; }));
  for (u32 pair = 0; pair < 3; ++pair) expect_arrival(pair);
  for (u32 pair = 0; pair < 4; ++pair) expect_departure(pair);
  EXPECT_EQ(set_pairs(2), 0);
  EXPECT_EQ(wire.pairs, 2u);
  EXPECT_EQ(net->settings().pairs, 2);
  expect_arrival(1);
}

TEST_F(NetPairsTest, WithoutMqTheThirdQueueIsTheControlQueue) {
  make(2);
  // Drivers of both kinds, one after the other, kick the same queue.
  for (int round = 0; round < 3; ++round) {
    start_all(~kMq);
    third_is_control = true;
    EXPECT_EQ(set_offloads(kGuestCsum), 0);
    EXPECT_EQ(wire.offloads, kGuestCsum);
    EXPECT_EQ(set_pairs(1), 1) << "not negotiated";
    EXPECT_EQ(set_offloads(0), 0);
    stop_all();
    net->reset();
    start_all();
    third_is_control = false;
    EXPECT_EQ(set_pairs(2), 0);
    expect_arrival(1);
    expect_arrival(1);
    stop_all();
    net->reset();
  }
}

TEST_F(NetPairsTest, ImpossibleNumbersOfPairsAreErrors) {
  open();
  for (const u16 pairs : std::initializer_list<u16>{0, 5, 0x8000, 0xffff})
    EXPECT_EQ(set_pairs(pairs), 1);
  EXPECT_EQ(command(4, 0, "\1"), 1);
  EXPECT_EQ(command(4, 0, std::string("\1\0\0", 3)), 1);
  EXPECT_EQ(wire.pairs, 1u);
  wire.fails = true;
  EXPECT_EQ(set_pairs(2), 1);
  EXPECT_EQ(net->settings().pairs, 1);
  expect_arrival(0);
}

TEST_F(NetPairsTest, AResetLeavesOnePair) {
  open();
  EXPECT_EQ(set_pairs(4), 0);
  stop_all();
  net->reset();
  EXPECT_EQ(net->settings(), Net::Settings{});
  start_all();
  EXPECT_EQ(wire.pairs, 1u);
  expect_arrival(0);
}

TEST_F(NetPairsTest, AStateComesBackAsItWasSaved) {
  open();
  EXPECT_EQ(set_pairs(3), 0);
  EXPECT_EQ(set_offloads(kGuestCsum), 0);
  net->announce();
  net->set_link(false);
  stop_all();
  const Net::State state = net->save();
  EXPECT_EQ(state.settings.pairs, 3);
  EXPECT_EQ(state.settings.offloads, kGuestCsum);
  EXPECT_TRUE(state.settings.announce);
  EXPECT_FALSE(state.settings.link_up);
  net->reset();
  // Before the transport tells the features, and after.
  for (const bool before : {true, false}) {
    if (before) net->restore(state);
    net->set_driver_features(state.settings.features);
    if (!before) net->restore(state);
    EXPECT_EQ(net->save(), state);
    EXPECT_EQ(wire.pairs, 3u);
    EXPECT_EQ(wire.offloads, kGuestCsum);
    EXPECT_EQ(status(), 2);
    net->reset();
    net->set_link(true);
  }
  // The next driver begins anew.
  net->restore({});
  start_all();
  EXPECT_EQ(net->settings().offloads, features & kGuestOffloads);
}

TEST_F(NetPairsTest, AnyStateCanBeTaken) {
  make();
  const auto restore = [this](const Net::Settings& settings) { net->restore({settings, {}}); };
  restore({.features = kGuestCsum | kMq, .pairs = 0, .offloads = ~u64{0}, .announce = true});
  EXPECT_EQ(net->settings(), (Net::Settings{.features = kGuestCsum | kMq}));
  restore({.features = kGuestCsum | kMq, .pairs = 0xffff});
  EXPECT_EQ(net->settings().pairs, 4);
  restore({.pairs = 4});
  EXPECT_EQ(net->settings().pairs, 1);
}

/// The device behind its registers, as a machine would save it.
TEST_F(NetDeviceTest, AnotherDeviceTakesOverFromRegisterToRegister) {
  make();
  FakeLine line;
  MmioTransport mmio(memory, *net, line);
  const auto set = [&](u64 offset, u32 value) { write_le(mmio, offset, 4, value); };
  set(0x070, 3);
  set(0x024, 1);
  set(0x020, 1);
  set(0x024, 0);
  set(0x020, static_cast<u32>(net->features() | feature::kEventIdx));
  set(0x070, 11);
  ASSERT_EQ(read_le(mmio, 0x070, 4), 11u);
  features = net->features() | test::kQueueFeatures;
  for (u32 queue = 0; queue < 3; ++queue) {
    drivers[queue] = std::make_unique<test::TestDriver>(memory, options.queue_size,
                                                        0x10000 + u64{queue} * 0x8000);
    const QueueLayout& layout = driver(queue).layout();
    set(0x030, queue);
    set(0x038, layout.size);
    set(0x080, static_cast<u32>(layout.descriptors.raw()));
    set(0x090, static_cast<u32>(layout.available.raw()));
    set(0x0a0, static_cast<u32>(layout.used.raw()));
    set(0x044, 1);
  }
  set(0x070, 15);
  EXPECT_EQ(set_offloads(kGuestCsum), 0);
  driver(0).add({{kData + 0x1000, 2000, kWrite}});
  driver(0).add({{kData + 0x2000, 2000, kWrite}});
  kick(0);
  ASSERT_TRUE(wire.send({}, numbered_frame(1, 100)));
  ASSERT_TRUE(take(0));
  // Two more, for which there is one buffer.
  for (const u32 number : {2u, 3u}) ASSERT_TRUE(wire.send({}, numbered_frame(number, 100)));
  ASSERT_TRUE(take(0));
  ASSERT_TRUE(comes_true([this] { return wire.is_read(); }));
  mmio.pause();
  const Net::State device_state = net->save();
  const MmioTransport::State state = mmio.save();

  // Same memory, same driver; other device, other host.
  test::FakeWire other;
  test::LoopThread thread(LoopOptions{.files = Net::kFilesPerLoop});
  EventLoop* const loops[] = {&thread.loop()};
  auto made = Net::create(options, std::make_unique<test::FakePort>(other), memory, loops);
  ASSERT_TRUE(made.has_value());
  const std::unique_ptr<Net> second = *std::move(made);
  FakeLine second_line;
  MmioTransport second_mmio(memory, *second, second_line);
  thread.start();
  second->restore(device_state);
  second_mmio.restore(state);
  EXPECT_EQ(second->save(), device_state);
  EXPECT_EQ(second_mmio.save(), state);
  EXPECT_EQ(other.offloads, kGuestCsum);
  second_mmio.resume();
  EXPECT_EQ(get(kData + 0x2000 + 12, 100), numbered_frame(2, 100));
  // What the first had read comes before what the second reads.
  ASSERT_TRUE(other.send({}, numbered_frame(4, 100)));
  for (const u32 number : {3u, 4u}) {
    driver(0).add({{kData + 0x1000 * number, 2000, kWrite}});
    if (driver(0).publish()) signal_eventfd(second->kick_fd(0));
    ASSERT_TRUE(take(0)) << number;
    EXPECT_EQ(get(kData + 0x1000 * number + 12, 100), numbered_frame(number, 100));
  }
  second_mmio.pause();
  thread.stop();
  for (auto& each : drivers) each.reset();
}

}  // namespace
}  // namespace mote::virtio
