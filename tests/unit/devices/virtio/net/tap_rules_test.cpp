// SPDX-License-Identifier: Apache-2.0
// Why a tap refuses, in words with the command that mends it; what its offloads are called.
#include "devices/virtio/net/tap_rules.hpp"

#include <gtest/gtest.h>
#include <linux/if_tun.h>

#include <cerrno>

#include "devices/virtio/net/header.hpp"

namespace mote::virtio {
namespace {

using namespace net_feature;

LinkFacts tap() {
  return {.kind = "tun", .up = true, .mtu = 1500, .carries_frames = true};
}

std::string attach(int error, const std::optional<LinkFacts>& link, u32 pairs = 1) {
  return explain_attach(error, {.name = "tap0", .pairs = pairs, .user = 1000}, link).message();
}

TEST(TapRules, WithoutTheDeviceEachReasonHasItsRemedy) {
  EXPECT_EQ(
      explain_device(ENOENT).message(),
      "cannot open '/dev/net/tun', the way to taps: No such file or directory (ENOENT) -- load "
      "the module: sudo modprobe tun; a container needs --device /dev/net/tun");
  EXPECT_EQ(explain_device(EACCES).message(),
            "cannot open '/dev/net/tun', the way to taps: Permission denied (EACCES) -- let the "
            "user open it: sudo chmod 0666 /dev/net/tun, as it is by default");
  EXPECT_EQ(explain_device(EPERM).message(),
            "cannot open '/dev/net/tun', the way to taps: Operation not permitted (EPERM) -- the "
            "container or its device cgroup forbids it: pass --device /dev/net/tun");
  EXPECT_EQ(explain_device(EMFILE).message(),
            "cannot open '/dev/net/tun', the way to taps: Too many open files (EMFILE)");
}

TEST(TapRules, ATapThatCannotBeMadeIsMadeBySomebodyElse) {
  EXPECT_EQ(
      attach(EPERM, std::nullopt),
      "cannot make tap 'tap0': Operation not permitted (EPERM) -- there is none, and this user "
      "cannot make it -- sudo ip tuntap add dev tap0 mode tap user 1000 && sudo ip link set "
      "tap0 up");
  EXPECT_NE(attach(EPERM, std::nullopt, 2).find("mode tap multi_queue user 1000"),
            std::string::npos);
  EXPECT_EQ(attach(ENOMEM, std::nullopt),
            "cannot make tap 'tap0': Cannot allocate memory (ENOMEM)");
}

TEST(TapRules, WhatIsNoTapIsCalledWhatItIs) {
  EXPECT_EQ(attach(EINVAL, LinkFacts{.kind = "bridge"}),
            "cannot use 'tap0' as a tap: it is an interface of kind 'bridge' -- name a tap; this "
            "makes one: sudo ip tuntap add dev NAME mode tap user 1000 && sudo ip link set NAME "
            "up");
  EXPECT_NE(attach(EINVAL, LinkFacts{}).find("it is a network card -- "), std::string::npos);
  EXPECT_NE(attach(EINVAL, LinkFacts{.kind = "tun"})
                .find("it is a tun, which carries packets without Ethernet headers -- "),
            std::string::npos);
}

TEST(TapRules, ATapWithOneQueueIsMadeAnewForMore) {
  EXPECT_EQ(
      attach(EINVAL, tap(), 4),
      "cannot open tap 'tap0' with 4 queue pairs: it was made with one -- take queues = 1, or "
      "make it anew: sudo ip tuntap del dev tap0 mode tap && sudo ip tuntap add dev tap0 mode "
      "tap multi_queue user 1000 && sudo ip link set tap0 up");
}

TEST(TapRules, ATapOfSomebodyElseNamesItsOwner) {
  LinkFacts link = tap();
  link.owner = 1001;
  EXPECT_EQ(
      attach(EPERM, link),
      "cannot open tap 'tap0': it belongs to user 1001, and this is user 1000 -- run Mote as "
      "its owner, or make it anew for this user: sudo ip tuntap del dev tap0 mode tap && sudo "
      "ip tuntap add dev tap0 mode tap user 1000 && sudo ip link set tap0 up");
  link.owner.reset();
  link.group = 20;
  EXPECT_NE(attach(EPERM, link).find("it belongs to group 20, and this is user 1000"),
            std::string::npos);
}

TEST(TapRules, ABusyTapSaysHowToFindWhoHasIt) {
  const std::string message = attach(EBUSY, tap());
  EXPECT_EQ(message,
            "cannot open tap 'tap0': another process has it open -- end that one (sudo grep -ls "
            "'iff:.*tap0$' /proc/[0-9]*/fdinfo/* names it), or use another tap: sudo ip tuntap add "
            "dev NAME mode tap user 1000 && sudo ip link set NAME up");
  EXPECT_EQ(explain_busy({.name = "tap0", .user = 1000}).message(), message);
}

TEST(TapRules, OtherErrorsKeepTheirNames) {
  EXPECT_EQ(attach(EIO, tap()), "cannot open tap 'tap0': Input/output error (EIO)");
}

TEST(TapRules, DescriptorsThatAreNoTapSaySo) {
  EXPECT_EQ(explain_descriptor(EBADF, 7).message(),
            "cannot take descriptor 7 as a tap: Bad file descriptor (EBADF) -- it is not open: who "
            "starts Mote has to leave it open over exec");
  EXPECT_EQ(
      explain_descriptor(ENOTTY, 7).message(),
      "cannot take descriptor 7 as a tap: it is something else -- hand over what /dev/net/tun "
      "gave and TUNSETIFF made a tap of");
  EXPECT_EQ(explain_descriptor(EBADFD, 7).message(),
            "cannot take descriptor 7 as a tap: it is attached to no interface -- call TUNSETIFF "
            "with IFF_TAP | IFF_NO_PI | IFF_VNET_HDR before it is handed over");
}

TEST(TapRules, DescriptorsNeedTheirFlags) {
  constexpr u32 kAll = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
  const auto problem = [](u32 flags, std::size_t count) {
    const auto checked = check_descriptor_flags(7, flags, count);
    return checked ? "" : checked.error().message();
  };
  EXPECT_EQ(problem(kAll, 2), "");
  EXPECT_EQ(problem(kAll, 1), "");
  EXPECT_EQ(problem(kAll & ~u32{IFF_MULTI_QUEUE}, 1), "");
  EXPECT_EQ(problem(kAll & ~u32{IFF_MULTI_QUEUE}, 2),
            "cannot take descriptor 7 as a tap: it was opened without IFF_MULTI_QUEUE -- open it "
            "with IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE");
  EXPECT_NE(problem(IFF_TUN | IFF_NO_PI, 1).find("without IFF_TAP --"), std::string::npos);
  EXPECT_NE(problem(kAll & ~u32{IFF_NO_PI}, 1).find("without IFF_NO_PI --"), std::string::npos);
  EXPECT_NE(problem(kAll & ~u32{IFF_VNET_HDR}, 1).find("without IFF_VNET_HDR --"),
            std::string::npos);
}

TEST(TapRules, OffloadsNeedChecksumsAndLargeUdpFramesOfBothVersions) {
  EXPECT_EQ(tap_offloads(0), 0u);
  EXPECT_EQ(tap_offloads(kGuestTso4 | kGuestTso6 | kGuestUso4 | kGuestUso6), 0u);
  EXPECT_EQ(tap_offloads(kGuestCsum), 1u);
  EXPECT_EQ(tap_offloads(kGuestCsum | kGuestTso4), 3u);
  EXPECT_EQ(tap_offloads(kGuestCsum | kGuestTso6), 5u);
  EXPECT_EQ(tap_offloads(kGuestCsum | kGuestUso4), 1u);
  EXPECT_EQ(tap_offloads(kGuestCsum | kGuestUso6), 1u);
  EXPECT_EQ(tap_offloads(kGuestCsum | kGuestUso4 | kGuestUso6), 0x61u);
  EXPECT_EQ(tap_offloads(~u64{0}), 0x67u);
}

TEST(TapRules, FeaturesHaveLargeUdpFramesWhereTheKernelDoes) {
  EXPECT_EQ(tap_features(true) & ~tap_features(false), u64{7} << 54);
  EXPECT_EQ(tap_features(false), 0x1983u);
}

}  // namespace
}  // namespace mote::virtio
