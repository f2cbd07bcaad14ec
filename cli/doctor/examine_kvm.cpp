// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "cli/doctor/examine.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "vmm/kvm/probe.hpp"

namespace mote {
namespace {

constexpr char kGroup[] = "KVM";
constexpr char kDevice[] = "/dev/kvm";
constexpr int kApiVersion = 12;

std::string open_remedy(int error) {
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return "load the module with 'modprobe kvm_intel' or 'modprobe kvm_amd'; inside a virtual "
             "machine its host must allow nested virtualization; a container needs --device "
             "/dev/kvm";
    case EACCES:
      return "add the user to the device's group with 'sudo usermod -aG kvm $USER', then log in "
             "again";
    case EPERM:
      return "the container or its device cgroup forbids it: pass --device /dev/kvm";
    default:
      return {};
  }
}

Finding capability_finding(const kvm::Capability& capability) {
  Finding finding{kGroup, capability.name, Mark::kOk, capability.purpose, {}};
  if (capability.counts) finding.detail += format(" (%d)", capability.value);
  if (capability.value == 0) {
    finding.mark = capability.required ? Mark::kFatal : Mark::kMissing;
    finding.detail = "this KVM lacks it: " + finding.detail;
    if (capability.required) finding.remedy = "use a newer kernel: Linux 5.10 has it";
  }
  return finding;
}

const char* ring0_name(kvm::Ring0 kind) {
  switch (kind) {
    case kvm::Ring0::kNative:
      return "native";
    case kvm::Ring0::kEmulated:
      return "emulated";
    case kvm::Ring0::kUnknown:
      break;
  }
  return "unknown";
}

Finding ring0_finding(const kvm::Ring0State& state) {
  Finding finding{kGroup, "guest ring 0", Mark::kOk, {}, {}};
  switch (state.kind) {
    case kvm::Ring0::kNative:
      finding.detail = format("native: the processor runs it (%.2f ns per instruction)",
                              state.ns_per_instruction);
      break;
    case kvm::Ring0::kEmulated:
      finding.mark = Mark::kMissing;
      finding.detail = format(
          "emulated: %.1f million instructions/s, POPCNT %s; Linux guests do "
          "not run here, unikernels and tests do",
          1e3 / state.ns_per_instruction, state.has_all_instructions ? "runs" : "is missing");
      finding.remedy =
          "use a host with VT-x or AMD-V, or let this virtual machine have nested virtualization";
      break;
    case kvm::Ring0::kUnknown:
      finding.mark = Mark::kMissing;
      finding.detail = "unknown: " + state.problem;
      break;
  }
  return finding;
}

}  // namespace

void examine_kvm(Diagnosis& diagnosis) {
  std::vector<Finding>& findings = diagnosis.findings;
  const auto system = open_file(kDevice, O_RDWR);
  if (!system) {
    const int error = system.error().errno_value();
    findings.push_back(
        {kGroup, kDevice, Mark::kFatal, system.error().message(), open_remedy(error)});
    return;
  }
  const int version = kvm::probe_api_version(*system);
  if (version != kApiVersion) {
    findings.push_back({kGroup, kDevice, Mark::kFatal,
                        version < 0 ? "opens, but is no KVM device"
                                    : format("speaks API version %d, Mote speaks 12", version),
                        "use the KVM of a Linux kernel"});
    return;
  }
  findings.push_back({kGroup, kDevice, Mark::kOk, format("opens, API version %d", version), {}});

  const kvm::Ring0State ring0 = kvm::probe_ring0(*system);
  diagnosis.guest_ring0 = ring0_name(ring0.kind);
  findings.push_back(ring0_finding(ring0));
  for (const kvm::Capability& capability : kvm::probe_capabilities(*system)) {
    findings.push_back(capability_finding(capability));
  }
}

}  // namespace mote
