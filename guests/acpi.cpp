// SPDX-License-Identifier: Apache-2.0
// acpi: walks RSDP, XSDT, FADT, MADT and DSDT, checks sums and what a hardware-reduced machine has
// to say, then powers off by exactly what the FADT and the DSDT name.
#include "guests/kit/acpi.hpp"

#include "guests/kit/boot_info.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/ioapic.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/power.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/smp.hpp"

namespace kit {
namespace {

// FADT [ACPI-6.5 5.2.9]
constexpr u32 kFlags = 112;
constexpr u32 kResetRegister = 116;
constexpr u32 kResetValue = 128;
constexpr u32 kXDsdt = 140;
constexpr u32 kSleepControl = 244;
constexpr u32 kSleepStatus = 256;
constexpr u32 kResetSupported = 1 << 10;
constexpr u32 kHardwareReduced = 1 << 20;

// MADT [ACPI-6.5 5.2.12]
constexpr u8 kIoApicType = 1;
constexpr u8 kOverrideType = 2;

// Generic address structure [ACPI-6.5 5.2.3.2].
struct [[gnu::packed]] Register {
  u8 space;  // 0 memory, 1 ports
  u8 width;
  u8 offset;
  u8 access;
  u64 address;
};
static_assert(sizeof(Register) == 12);

void show(std::string_view name, const Register& reg) {
  print("register ", name, reg.space == 1 ? " port " : " memory ", hex(reg.address), '\n');
}

void write(const Register& reg, u8 value) {
  if (reg.space == 1) {
    out8(static_cast<u16>(reg.address), value);
  } else {
    mmio_write<u8>(reg.address, value);
  }
}

void check_sum(std::string_view name, acpi::Table table) {
  print("table ", table.signature(), ' ', hex(table.address), " length ", table.length(),
        " revision ", table.at<u8>(8), '\n');
  expect(name, acpi::sums_to_zero(table.address, table.length()), "bytes do not add up to zero");
}

void check_madt(acpi::Table madt) {
  u32 io_apics = 0;
  bool is_expected = madt.at<u32>(acpi::kHeaderSize) == lapic::kBase;
  CpuList cpus;
  acpi::list_cpus(boot_info(), cpus);
  acpi::for_each_controller(madt, [&](u8 type, u64 address) {
    const acpi::Table entry{address};
    if (type == kIoApicType) {
      io_apics++;
      const bool is_first = entry.at<u32>(8) == 0;
      if (is_first) is_expected = is_expected && entry.at<u32>(4) == ioapic::kBase;
    }
    if (type == kOverrideType) {
      print("override irq ", entry.at<u8>(3), " pin ", entry.at<u32>(4), " flags ",
            hex(entry.at<u16>(8)), '\n');
    }
  });
  expect("acpi.controllers", io_apics >= 1 && is_expected, io_apics, " I/O APICs");
  expect("acpi.vcpus", cpus.count >= 1, "none");
  print("vCPUs ", cpus.count, '\n');
}

// The sleep type in `Name (_S5, Package {..})`: its first element [ACPI-6.5 7.4.2, 20.2]. 0xFF
// where the DSDT has none.
u8 find_sleep_type(acpi::Table dsdt) {
  constexpr u32 kName = 0x5F35535F;  // "_S5_"
  constexpr u8 kPackage = 0x12;
  constexpr u8 kZero = 0x00;
  constexpr u8 kOne = 0x01;
  constexpr u8 kByte = 0x0A;
  for (u32 i = acpi::kHeaderSize; i + 9 <= dsdt.length(); i++) {
    if (dsdt.at<u32>(i) != kName || dsdt.at<u8>(i + 4) != kPackage) continue;
    // Package: its length in one byte or more, the number of elements, the elements.
    const u32 more_length_bytes = dsdt.at<u8>(i + 5) >> 6;
    const u32 first = i + 7 + more_length_bytes;
    const u8 opcode = dsdt.at<u8>(first);
    if (opcode == kZero || opcode == kOne) return opcode;
    if (opcode == kByte) return dsdt.at<u8>(first + 1);
  }
  return 0xFF;
}

}  // namespace

void guest_main(const BootInfo& info) {
  const u64 rsdp = acpi::find_rsdp(info);
  if (!expect("acpi.rsdp", rsdp != 0, "neither named by the monitor nor found")) return done();
  expect("acpi.rsdp_named", info.rsdp == rsdp, "found by search at ", hex(rsdp));
  expect("acpi.rsdp_sum", acpi::sums_to_zero(rsdp, 20) && acpi::sums_to_zero(rsdp, 36),
         "bytes do not add up to zero");

  const acpi::Table xsdt = acpi::xsdt(rsdp);
  if (!expect("acpi.xsdt", xsdt && xsdt.signature() == "XSDT", "no XSDT")) return done();
  check_sum("acpi.xsdt_sum", xsdt);
  const acpi::Table fadt = acpi::find(xsdt, "FACP");
  const acpi::Table madt = acpi::find(xsdt, "APIC");
  if (!expect("acpi.fadt", bool{fadt}, "no FADT")) return done();
  if (!expect("acpi.madt", bool{madt}, "no MADT")) return done();
  check_sum("acpi.fadt_sum", fadt);
  check_sum("acpi.madt_sum", madt);
  check_madt(madt);

  const u32 flags = fadt.at<u32>(kFlags);
  expect("acpi.hardware_reduced", (flags & kHardwareReduced) != 0, "flags ", hex(flags));
  expect("acpi.reset_supported", (flags & kResetSupported) != 0, "flags ", hex(flags));
  const auto sleep_control = fadt.at<Register>(kSleepControl);
  show("reset", fadt.at<Register>(kResetRegister));
  print("reset value ", hex(fadt.at<u8>(kResetValue)), '\n');
  show("sleep control", sleep_control);
  show("sleep status", fadt.at<Register>(kSleepStatus));

  const acpi::Table dsdt{fadt.at<u64>(kXDsdt)};
  if (!expect("acpi.dsdt", dsdt && dsdt.signature() == "DSDT", "no DSDT")) return done();
  check_sum("acpi.dsdt_sum", dsdt);
  const u8 sleep_type = find_sleep_type(dsdt);
  if (!expect("acpi.s5", sleep_type <= 7, "no sleep type in _S5")) return done();
  done();

  constexpr u8 kSleepEnable = 0x20;
  write(sleep_control, static_cast<u8>(kSleepEnable | sleep_type << 2));
  linger();
  print("FAIL acpi.power_off: still running\n");
  reset();
}

}  // namespace kit
