// SPDX-License-Identifier: Apache-2.0
// unclaimed: ports and addresses that no device has read as all ones in every width, also where an
// access runs over the end of a device, and writes to them vanish.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/serial.hpp"

namespace kit {
namespace {

// Where no device is; the last ports before the power register and the boot clock, so that wider
// accesses run into them; the last port of all.
constexpr u16 kPorts[] = {0x1234, 0x05FF, 0x0AFF, 0xFFFF};
// The byte at these ports belongs to a device, the word that starts there does not.
constexpr u16 kLastPorts[] = {serial::kScratch, 0x0B00};
constexpr u64 kAddresses[] = {0xCFF00000, 0xC0000000, 0xDFFFF000, 0xFEC01000, 0xFED00000};

template <class T>
constexpr T kAllOnes = static_cast<T>(~T{0});

template <class T>
bool port_is_unclaimed(u16 port) {
  const bool before = in<T>(port) == kAllOnes<T>;
  out<T>(port, 0);
  return before && in<T>(port) == kAllOnes<T>;
}

template <class T>
bool address_is_unclaimed(u64 address) {
  const bool before = mmio_read<T>(address) == kAllOnes<T>;
  mmio_write<T>(address, 0);
  return before && mmio_read<T>(address) == kAllOnes<T>;
}

template <class T>
void check_ports(std::string_view name) {
  u32 claimed = 0;
  for (const u16 port : kPorts) {
    if (!port_is_unclaimed<T>(port)) {
      claimed++;
      print("port ", hex(port), " reads ", hex(in<T>(port)), '\n');
    }
  }
  expect(name, claimed == 0, claimed, " ports answer");
}

template <class T>
void check_addresses(std::string_view name) {
  u32 claimed = 0;
  for (const u64 address : kAddresses) {
    if (!address_is_unclaimed<T>(address)) {
      claimed++;
      print("address ", hex(address), " reads ", hex(mmio_read<T>(address)), '\n');
    }
  }
  expect(name, claimed == 0, claimed, " addresses answer");
}

}  // namespace

void guest_main(const BootInfo&) {
  check_ports<u8>("unclaimed.port8");
  check_ports<u16>("unclaimed.port16");
  check_ports<u32>("unclaimed.port32");
  for (const u16 port : kLastPorts) {
    expect("unclaimed.port_end", port_is_unclaimed<u16>(port), "port ", hex(port), " reads ",
           hex(in16(port)));
  }
  check_addresses<u8>("unclaimed.mmio8");
  check_addresses<u16>("unclaimed.mmio16");
  check_addresses<u32>("unclaimed.mmio32");
  check_addresses<u64>("unclaimed.mmio64");
  out8(serial::kScratch, 0x5A);
  out16(serial::kScratch, 0);
  expect_equal("unclaimed.write_vanishes", in8(serial::kScratch), u8{0x5A});
  // The boot clock can only be written.
  expect_equal("unclaimed.boot_clock", in8(0x0B00), u8{0xFF});
  done();
}

}  // namespace kit
