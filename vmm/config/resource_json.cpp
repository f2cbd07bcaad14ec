// SPDX-License-Identifier: Apache-2.0
#include "vmm/config/resource_json.hpp"

#include <string_view>

#include "core/json/writer.hpp"
#include "core/pci_address.hpp"

namespace mote {
namespace {

using json::Writer;

void write_text(Writer& out, std::string_view key, std::string_view text) {
  out.key(key);
  text.empty() ? out.null() : out.string(text);
}

void write_machine(Writer& out, const MachineConfig& machine) {
  out.begin_object();
  out.key("vcpu_count").number(machine.vcpus);
  out.key("mem_size_mib").number(machine.memory_bytes / kMiB);
  out.key("smt").boolean(machine.smt);
  out.key("track_dirty_pages").boolean(machine.track_dirty_pages);
  out.key("huge_pages").string(machine.huge_pages ? "2M" : "None");
  out.end_object();
}

void write_kernel(Writer& out, const KernelConfig& kernel) {
  if (kernel.path.empty()) {
    out.null();
    return;
  }
  out.begin_object();
  out.key("kernel_image_path").string(kernel.path);
  write_text(out, "initrd_path", kernel.initrd);
  out.key("boot_args").string(kernel.cmdline);
  out.end_object();
}

void write_bucket(Writer& out, std::string_view key, const std::optional<RateLimit>& limit) {
  out.key(key);
  if (!limit) {
    out.null();
    return;
  }
  out.begin_object().key("size").number(limit->size);
  out.key("one_time_burst").number(limit->burst);
  out.key("refill_time").number(limit->refill_ms).end_object();
}

void write_rate(Writer& out, std::string_view key, const std::optional<RateLimit>& bandwidth,
                const std::optional<RateLimit>& operations) {
  out.key(key);
  if (!bandwidth && !operations) {
    out.null();
    return;
  }
  out.begin_object();
  write_bucket(out, "bandwidth", bandwidth);
  write_bucket(out, "ops", operations);
  out.end_object();
}

void write_drive(Writer& out, const BlockConfig& drive, std::size_t position) {
  out.begin_object();
  out.key("drive_id").string(disk_id(drive, position));
  write_text(out, "partuuid", drive.partuuid);
  out.key("is_root_device").boolean(drive.root);
  out.key("cache_type").string(drive.cache == BlockCache::kUnsafe ? "Unsafe" : "Writeback");
  out.key("is_read_only").boolean(drive.read_only);
  write_text(out, "path_on_host", drive.path);
  write_rate(out, "rate_limiter", drive.bandwidth, drive.operations);
  out.key("io_engine").string("Async");
  out.key("socket").null();
  out.end_object();
}

void write_net(Writer& out, const NetConfig& net, std::size_t position) {
  out.begin_object();
  out.key("iface_id").string(net_id(net, position));
  out.key("host_dev_name").string(net.tap);
  write_text(out, "guest_mac", net.mac ? print_mac(*net.mac) : "");
  out.key("mtu");
  net.mtu == 0 ? out.null() : out.number(net.mtu);
  write_rate(out, "rx_rate_limiter", net.rx_bandwidth, net.rx_frames);
  write_rate(out, "tx_rate_limiter", net.tx_bandwidth, net.tx_frames);
  out.end_object();
}

void write_vfio(Writer& out, const VfioConfig& device, std::size_t position) {
  out.begin_object();
  out.key("id").string(vfio_id(device, position));
  out.key("address").string(print_pci_address(*device.address));
  out.end_object();
}

}  // namespace

std::string machine_json(const MachineConfig& machine) {
  Writer out;
  write_machine(out, machine);
  return out.take();
}

std::string vfio_json(const VfioConfig& device, std::string_view state) {
  Writer out;
  out.begin_object();
  out.key("id").string(device.id);
  out.key("address").string(print_pci_address(*device.address));
  out.key("state").string(state);
  return out.end_object().take();
}

std::string vm_json(const VmConfig& config) {
  Writer out;
  out.begin_object();
  out.key("balloon").null();
  out.key("drives").begin_array();
  for (std::size_t i = 0; i < config.blocks.size(); ++i) write_drive(out, config.blocks[i], i);
  out.end_array();
  out.key("boot-source");
  write_kernel(out, config.kernel);
  out.key("cpu-config").null();
  out.key("logger").null();
  out.key("machine-config");
  write_machine(out, config.machine);
  out.key("metrics").null();
  out.key("mmds-config").null();
  out.key("network-interfaces").begin_array();
  for (std::size_t i = 0; i < config.nets.size(); ++i) write_net(out, config.nets[i], i);
  out.end_array();
  for (const char* absent : {"vsock", "entropy", "memory-hotplug"}) out.key(absent).null();
  out.key("pmem").begin_array().end_array();
  out.key("vfio-devices").begin_array();
  for (std::size_t i = 0; i < config.vfios.size(); ++i) write_vfio(out, config.vfios[i], i);
  out.end_array();
  out.end_object();
  return out.take();
}

}  // namespace mote
