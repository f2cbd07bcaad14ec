// SPDX-License-Identifier: Apache-2.0
#include "devices/vfio/refusals.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace mote::vfio {
namespace {

void expect_remedy(Attempt attempt, int error, const std::string& part) {
  const std::string remedy = refusal_remedy(attempt, error);
  EXPECT_NE(remedy.find(part), std::string::npos) << remedy;
}

TEST(Refusals, AFunctionThatIsInUse) {
  expect_remedy(Attempt::kOpenGroup, EBUSY, "end that VM first");
  expect_remedy(Attempt::kBind, EBUSY, "end that VM first");
  expect_remedy(Attempt::kBind, EINVAL, "end that VM first");
}

TEST(Refusals, ANodeThatDoesNotOpen) {
  expect_remedy(Attempt::kOpenGroup, EACCES, "mote vfio list");
}

TEST(Refusals, InterruptsThatAreNotRemapped) {
  expect_remedy(Attempt::kUseIommu, EPERM, "vfio_iommu_type1/parameters/allow_unsafe_interrupts");
  expect_remedy(Attempt::kBind, EPERM, "iommufd/parameters/allow_unsafe_interrupts");
}

TEST(Refusals, MemoryThatCannotBeMapped) {
  expect_remedy(Attempt::kMap, ENOMEM, "ulimit -l");
  expect_remedy(Attempt::kMap, ENOSPC, "dma_entry_limit");
}

TEST(Refusals, NothingIsAdvisedWhereNobodyKnows) {
  for (const Attempt attempt : {Attempt::kUseIommu, Attempt::kBind, Attempt::kMap}) {
    EXPECT_EQ(refusal_remedy(attempt, EIO), "");
  }
}

}  // namespace
}  // namespace mote::vfio
