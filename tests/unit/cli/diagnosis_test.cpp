// SPDX-License-Identifier: Apache-2.0
// Behaviour of the doctor's report.
#include "cli/doctor/diagnosis.hpp"

#include <gtest/gtest.h>

namespace mote {
namespace {

const Finding kFine{"KVM", "/dev/kvm", Mark::kOk, "opens", {}};
const Finding kAbsent{"devices", "tap", Mark::kMissing, "not there", "modprobe tun"};
const Finding kBroken{"io_uring", "set-up", Mark::kFatal, "switched off", "switch it on"};

TEST(Diagnosis, CanRunWithoutWhatIsOptional) {
  EXPECT_TRUE((Diagnosis{{kFine, kAbsent}}.can_run()));
}

TEST(Diagnosis, CannotRunWithoutWhatIsNeeded) {
  EXPECT_FALSE((Diagnosis{{kFine, kBroken}}.can_run()));
}

TEST(DiagnosisTable, GroupsAndAlignsFindings) {
  EXPECT_EQ(diagnosis_table({{kFine, kAbsent}}),
            "KVM\n"
            "  [ok] /dev/kvm  opens\n"
            "\n"
            "devices\n"
            "  [--] tap       not there\n"
            "                 -> modprobe tun\n"
            "\n"
            "Mote can run here.\n");
}

TEST(DiagnosisTable, SaysThatMoteCannotRun) {
  EXPECT_EQ(diagnosis_table({{kBroken}}),
            "io_uring\n"
            "  [!!] set-up  switched off\n"
            "               -> switch it on\n"
            "\n"
            "Mote cannot run here: see the lines with [!!].\n");
}

TEST(DiagnosisJson, HoldsEveryField) {
  EXPECT_EQ(
      diagnosis_json({{kFine, kAbsent}, "native"}),
      "{\"can_run\": true, \"guest_ring0\": \"native\", \"findings\": [\n"
      "  {\"group\": \"KVM\", \"name\": \"/dev/kvm\", \"status\": \"ok\", \"detail\": "
      "\"opens\", \"remedy\": \"\"},\n"
      "  {\"group\": \"devices\", \"name\": \"tap\", \"status\": \"missing\", \"detail\": \"not "
      "there\", \"remedy\": \"modprobe tun\"}\n"
      "]}\n");
}

TEST(DiagnosisJson, EscapesQuotesAndControlCharacters) {
  const Finding odd{"a\"b", "c\\d", Mark::kFatal, "e\nf", "\x01"};
  EXPECT_EQ(diagnosis_json({{odd}}),
            "{\"can_run\": false, \"guest_ring0\": \"unknown\", \"findings\": [\n"
            "  {\"group\": \"a\\\"b\", \"name\": \"c\\\\d\", \"status\": \"fatal\", \"detail\": "
            "\"e\\nf\", \"remedy\": \"\\u0001\"}\n"
            "]}\n");
}

}  // namespace
}  // namespace mote
