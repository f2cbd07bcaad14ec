// SPDX-License-Identifier: Apache-2.0
// smp: starts all vCPUs, asks each who it is by three ways, and sends interrupts to and fro.
// Where there is an ACPI MADT and an MP table, both have to name the same vCPUs.
#include "guests/kit/smp.hpp"

#include "guests/kit/acpi.hpp"
#include "guests/kit/boot_info.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/mp_table.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit {
namespace {

constexpr u8 kCallVector = 0x60;
constexpr u8 kAnswerVector = 0x61;
constexpr u32 kTopologyLeaf = 0x0B;
constexpr u64 kPatienceUs = 2'000'000;

struct Identity {
  u32 cpuid1;
  u32 topology;
  u32 local_apic;
};
Identity identities[kMaxCpus];
u32 started;  // also the index of the vCPU that comes next
u32 ready;
u32 answers;
u32 first_apic_id;

u32 load(const u32& value) {
  return __atomic_load_n(&value, __ATOMIC_ACQUIRE);
}
void increment(u32& value) {
  __atomic_fetch_add(&value, 1, __ATOMIC_ACQ_REL);
}

Identity identify() {
  const u32 from_cpuid = cpuid(1).ebx >> 24;
  const bool has_topology = cpuid(0).eax >= kTopologyLeaf && cpuid(kTopologyLeaf).ebx != 0;
  return {from_cpuid, has_topology ? cpuid(kTopologyLeaf).edx : from_cpuid, lapic::id()};
}

// On the others: an interrupt comes in, another goes out.
void answer(Frame&) {
  lapic::end_of_interrupt();
  lapic::send(first_apic_id, lapic::Delivery::kFixed, kAnswerVector);
}

// On the first.
void count_answer(Frame&) {
  increment(answers);
  lapic::end_of_interrupt();
}

void run_other() {
  lapic::enable();
  identities[load(started)] = identify();
  increment(ready);
  while (true) sleep_until_interrupt();
}

bool same(const CpuList& left, const CpuList& right) {
  if (left.count != right.count) return false;
  for (u32 i = 0; i < left.count; i++) {
    if (left.apic_ids[i] != right.apic_ids[i]) return false;
  }
  return true;
}

void compare_tables(const BootInfo& info) {
  CpuList from_acpi;
  CpuList from_mp;
  const bool has_acpi = acpi::list_cpus(info, from_acpi);
  const bool has_mp = mp_table::list_cpus(from_mp);
  if (has_acpi && has_mp) {
    expect("smp.tables_agree", same(from_acpi, from_mp), "MADT names ", from_acpi.count,
           " vCPUs, MP table ", from_mp.count);
  } else {
    skip("smp.tables_agree", has_acpi ? "no MP table" : "no MADT");
  }
}

bool wait_for_answers(u32 count) {
  // Answers that come at the same moment count as one: the local APIC holds one per vector.
  const Deadline deadline(kPatienceUs);
  enable_interrupts();
  while (load(answers) < count && !deadline.has_passed()) pause();
  disable_interrupts();
  return load(answers) >= count;
}

}  // namespace

void guest_main(const BootInfo& info) {
  compare_tables(info);
  const CpuList cpus = find_cpus(info);
  lapic::enable();
  set_interrupt_handler(kCallVector, answer);
  set_interrupt_handler(kAnswerVector, count_answer);
  identities[0] = identify();
  first_apic_id = identities[0].local_apic;

  u32 missing = 0;
  for (u32 i = 1; i < cpus.count; i++) {
    __atomic_store_n(&started, i, __ATOMIC_RELEASE);
    const u32 before = load(ready);
    const bool is_up = start_cpu(cpus.apic_ids[i], run_other) &&
                       wait_until([before] { return load(ready) > before; }, kPatienceUs);
    if (!is_up) missing++;
  }
  expect("smp.start", missing == 0, missing, " of ", cpus.count, " vCPUs stay away");

  u32 strangers = 0;
  for (u32 i = 0; i < cpus.count; i++) {
    const Identity& id = identities[i];
    const u32 wanted = cpus.apic_ids[i];
    if (id.cpuid1 == wanted && id.topology == wanted && id.local_apic == wanted) continue;
    strangers++;
    print("vCPU ", i, " of the table has APIC id ", wanted, ", CPUID leaf 1 says ", id.cpuid1,
          ", leaf 0Bh ", id.topology, ", the local APIC ", id.local_apic, '\n');
  }
  expect("smp.apic_ids", strangers == 0, strangers, " vCPUs differ");

  for (u32 i = 1; i < cpus.count; i++) {
    lapic::send(cpus.apic_ids[i], lapic::Delivery::kFixed, kCallVector);
    if (!wait_for_answers(i)) break;
  }
  expect("smp.ipi", load(answers) == cpus.count - 1, load(answers), " answers");

  answers = 0;
  if (cpus.count > 1) lapic::send_to_others(kCallVector);
  expect("smp.broadcast", cpus.count == 1 || wait_for_answers(1), "no answer");
  print("cpus ", load(ready) + 1, '\n');
  done();
}

}  // namespace kit
