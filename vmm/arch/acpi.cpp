// SPDX-License-Identifier: Apache-2.0
#include "vmm/arch/acpi.hpp"

#include <cstring>
#include <span>

#include "core/check.hpp"
#include "vmm/arch/layout.hpp"
#include "vmm/arch/table_bytes.hpp"
#include "vmm/arch/virtio_ssdt.hpp"

// Made from dsdt.asl at build time: unsigned char dsdt_aml_code[].
#include "dsdt.hex"

namespace mote::arch {
namespace {

#pragma pack(push, 1)

/// Generic address structure [ACPI-6.5 5.2.3.2].
struct GenericAddress {
  u8 space = 0;
  u8 bit_width = 0;
  u8 bit_offset = 0;
  u8 access_size = 0;
  u64 address = 0;
};
static_assert(sizeof(GenericAddress) == 12);

constexpr u8 kSpaceSystemIo = 1;
constexpr u8 kAccessByte = 1;

constexpr GenericAddress byte_port(u16 port) {
  return {kSpaceSystemIo, 8, 0, kAccessByte, port};
}

/// [ACPI-6.5 5.2.5.3]
struct Rsdp {
  char signature[8] = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '};
  u8 checksum = 0;  // of the first 20 bytes
  char oem_id[6] = {'M', 'O', 'T', 'E', ' ', ' '};
  u8 revision = 2;
  u32 rsdt_address = 0;
  u32 length = 36;
  u64 xsdt_address = 0;
  u8 extended_checksum = 0;
  u8 reserved[3] = {};
};
static_assert(sizeof(Rsdp) == 36);

/// [ACPI-6.5 5.2.6]
struct Header {
  char signature[4] = {};
  u32 length = 0;
  u8 revision = 0;
  u8 checksum = 0;
  char oem_id[6] = {'M', 'O', 'T', 'E', ' ', ' '};
  char oem_table_id[8] = {'M', 'O', 'T', 'E', ' ', ' ', ' ', ' '};
  u32 oem_revision = 1;
  char creator_id[4] = {'M', 'O', 'T', 'E'};
  u32 creator_revision = 1;
};
static_assert(sizeof(Header) == 36);

/// [ACPI-6.5 5.2.9]. What a hardware-reduced machine has no use for is zero.
struct Fadt {
  Header header;
  u32 firmware_control = 0;
  u32 dsdt = 0;
  u8 unused1 = 0;
  u8 preferred_profile = 0;    // unspecified
  u8 fixed_hardware[62] = {};  // 46: SCI, event and timer blocks
  u8 century = 0;
  u16 boot_flags = 0;  // 109: IAPC_BOOT_ARCH
  u8 unused2 = 0;
  u32 flags = 0;  // 112
  GenericAddress reset_register;
  u8 reset_value = 0;
  u16 arm_boot_flags = 0;
  u8 minor_version = 5;
  u64 x_firmware_control = 0;
  u64 x_dsdt = 0;
  u8 fixed_hardware_blocks[96] = {};  // 148: eight generic addresses
  GenericAddress sleep_control;       // 244
  GenericAddress sleep_status;
  u64 hypervisor_vendor = 0;
};
static_assert(offsetof(Fadt, century) == 108);
static_assert(offsetof(Fadt, boot_flags) == 109);
static_assert(offsetof(Fadt, flags) == 112);
static_assert(offsetof(Fadt, reset_register) == 116);
static_assert(offsetof(Fadt, x_dsdt) == 140);
static_assert(offsetof(Fadt, sleep_control) == 244);
static_assert(sizeof(Fadt) == 276);

constexpr u32 kPowerButtonIsDevice = 1u << 4;  // no fixed-hardware button
constexpr u32 kSleepButtonIsDevice = 1u << 5;
constexpr u32 kResetRegisterSupported = 1u << 10;
constexpr u32 kHardwareReduced = 1u << 20;
constexpr u16 kHas8042 = 1u << 1;
constexpr u16 kVgaNotPresent = 1u << 2;
constexpr u16 kCmosRtcNotPresent = 1u << 5;
constexpr u8 kRtcCentury = 0x32;  // CMOS index
constexpr u8 kResetValue = 1;

/// [ACPI-6.5 5.2.12]
struct Madt {
  Header header;
  u32 local_apic_address = static_cast<u32>(layout::kLocalApic.raw());
  u32 flags = 0;
};
constexpr u32 kPcatCompatible = 1;  // there are two 8259s

/// [ACPI-6.5 5.2.12.2]
struct MadtLocalApic {
  u8 type = 0;
  u8 length = 8;
  u8 processor_uid = 0;
  u8 apic_id = 0;
  u32 flags = 1;  // enabled
};
static_assert(sizeof(MadtLocalApic) == 8);

/// [ACPI-6.5 5.2.12.3]
struct MadtIoApic {
  u8 type = 1;
  u8 length = 12;
  u8 id = 0;
  u8 reserved = 0;
  u32 address = static_cast<u32>(layout::kIoApic.raw());
  u32 gsi_base = 0;
};
static_assert(sizeof(MadtIoApic) == 12);

/// [PCI-Firmware-3.3 4.1.2]: the table and its only entry.
struct Mcfg {
  Header header;
  u64 reserved1 = 0;
  u64 base = layout::kPciEcam.raw();
  u16 segment = 0;
  u8 first_bus = 0;
  u8 last_bus = 0;
  u32 reserved2 = 0;
};
static_assert(sizeof(Mcfg) == 60);

#pragma pack(pop)

/// Places tables one behind the other.
class Builder {
 public:
  explicit Builder(Gpa base) : base_(base) {}

  /// Appends bytes at the next multiple of 16 and returns their address.
  u64 add(std::span<const std::byte> bytes) {
    block_.resize((block_.size() + 15) & ~std::size_t{15});
    const u64 address = base_.raw() + block_.size();
    block_.insert(block_.end(), bytes.begin(), bytes.end());
    return address;
  }

  /// Completes the header of a table (its size, its checksum) and appends it.
  u64 add_table(const char (&signature)[5], u8 revision, std::vector<std::byte> table) {
    Header header;
    std::memcpy(header.signature, signature, sizeof(header.signature));
    header.length = static_cast<u32>(table.size());
    header.revision = revision;
    overwrite(table, 0, header);
    overwrite(table, offsetof(Header, checksum), checksum(table));
    return add(table);
  }

  std::vector<std::byte> take() { return std::move(block_); }
  std::vector<std::byte>& block() { return block_; }

 private:
  Gpa base_;
  std::vector<std::byte> block_;
};

template <class T>
std::vector<std::byte> to_bytes(const T& value) {
  std::vector<std::byte> bytes;
  append(bytes, value);
  return bytes;
}

std::vector<std::byte> madt(const AcpiOptions& options) {
  Madt head;
  head.flags = options.legacy ? kPcatCompatible : 0;
  std::vector<std::byte> table = to_bytes(head);
  for (u32 id = 0; id < options.vcpu_count; ++id) {
    append(table,
           MadtLocalApic{.processor_uid = static_cast<u8>(id), .apic_id = static_cast<u8>(id)});
  }
  append(table, MadtIoApic{});
  return table;
}

Fadt fadt(u64 dsdt, const AcpiOptions& options) {
  Fadt table;
  table.dsdt = static_cast<u32>(dsdt);
  table.x_dsdt = dsdt;
  table.century = options.legacy ? kRtcCentury : 0;
  table.boot_flags =
      static_cast<u16>(kHas8042 | kVgaNotPresent | (options.legacy ? 0 : kCmosRtcNotPresent));
  table.flags =
      kPowerButtonIsDevice | kSleepButtonIsDevice | kResetRegisterSupported | kHardwareReduced;
  table.reset_register = byte_port(layout::kPowerPorts + 2);
  table.reset_value = kResetValue;
  table.sleep_control = byte_port(layout::kPowerPorts);
  table.sleep_status = byte_port(layout::kPowerPorts + 1);
  return table;
}

}  // namespace

std::vector<std::byte> build_acpi(Gpa base, const AcpiOptions& options) {
  Builder builder(base);
  builder.add(to_bytes(Rsdp{}));  // completed below, when it is known where the XSDT lies
  const u64 dsdt = builder.add(std::as_bytes(std::span(dsdt_aml_code)));
  std::vector<std::byte> xsdt = to_bytes(Header{});  // [ACPI-6.5 5.2.8]: addresses of the others
  append(xsdt, builder.add_table("FACP", 6, to_bytes(fadt(dsdt, options))));
  append(xsdt, builder.add_table("APIC", 5, madt(options)));
  if (options.virtio_devices > 0) {
    append(xsdt, builder.add_table("SSDT", 2, build_virtio_ssdt(options.virtio_devices)));
  }
  if (options.pci_above_4g) {
    append(xsdt, builder.add_table("MCFG", 1, to_bytes(Mcfg{})));
    append(xsdt,
           builder.add_table("SSDT", 2, build_pci_ssdt(*options.pci_above_4g, options.removable)));
  }

  Rsdp rsdp;
  rsdp.xsdt_address = builder.add_table("XSDT", 1, std::move(xsdt));
  rsdp.checksum = checksum(std::as_bytes(std::span(&rsdp, 1)).first(20));
  rsdp.extended_checksum = checksum(std::as_bytes(std::span(&rsdp, 1)));
  overwrite(builder.block(), 0, rsdp);
  CHECK(builder.block().size() <= layout::kAcpiSize, "the ACPI tables fit their area");
  return builder.take();
}

}  // namespace mote::arch
