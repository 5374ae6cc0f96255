// Every implementation of every op against the op's definition: kernels/check holds the cases.
#include <gtest/gtest.h>

#include "burin/kernels/check/case.h"

namespace burin {
namespace {

class EveryCase : public testing::TestWithParam<const checks::OpCase*> {};

TEST_P(EveryCase, MatchesTheDefinition) {
  const checks::OpCase& one = *GetParam();
  if (one.info.large) GTEST_SKIP() << "a network's size: checked by the benchmarks";
  int accepted = 0;
  for (const Candidate& candidate : one.candidates(Device::cpu())) {
    if (!candidate.refusal.empty()) continue;
    ++accepted;
    const checks::Verdict verdict = one.check(candidate.name, Device::cpu());
    EXPECT_TRUE(verdict.passed) << candidate.name << " on " << one.info.problem << ' '
                                << one.info.dtype << ' ' << one.info.layout << " (" << one.info.why
                                << "): " << verdict.message;
  }
  EXPECT_GT(accepted, 0) << "no implementation accepts " << one.info.problem << ' '
                         << one.info.dtype << ' ' << one.info.layout;
}

std::string test_name(const testing::TestParamInfo<const checks::OpCase*>& info) {
  const checks::OpCase& one = *info.param;
  return str(one.op(), '_', one.info.dtype, '_', one.info.layout, '_', info.index);
}

INSTANTIATE_TEST_SUITE_P(AllOps, EveryCase, testing::ValuesIn(checks::cases_of("")), test_name);

}  // namespace
}  // namespace burin
