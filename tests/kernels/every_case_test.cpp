// Every implementation of every op against the op's definition: kernels/check holds the cases.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "burin/kernels/check/case.h"
#include "burin/kernels/registry.h"

namespace burin {
namespace {

/// Those of all cases that are, or are not, of a real network's size.
std::vector<const checks::OpCase*> cases_where(bool large) {
  std::vector<const checks::OpCase*> cases = checks::cases_of("");
  std::erase_if(cases, [large](const checks::OpCase* one) { return one->info.large != large; });
  return cases;
}

/// Holds every implementation that accepts the case and is not in `left_out` to the definition.
void expect_definition(const checks::OpCase& one, const std::set<std::string>& left_out = {},
                       checks::Misaligned misaligned = checks::all_aligned) {
  int accepted = 0;
  for (const Candidate& candidate : one.candidates(Device::cpu(), misaligned)) {
    if (!candidate.refusal.empty()) continue;
    ++accepted;
    if (left_out.contains(candidate.name)) continue;
    const checks::Verdict verdict = one.check(candidate.name, Device::cpu(), misaligned);
    EXPECT_TRUE(verdict.passed) << candidate.name << " on " << one.info.problem << ' '
                                << one.info.dtype << ' ' << one.info.layout << " (" << one.info.why
                                << "): " << verdict.message;
  }
  EXPECT_GT(accepted, 0) << "no implementation accepts " << one.info.problem << ' '
                         << one.info.dtype << ' ' << one.info.layout;
}

class EveryCase : public testing::TestWithParam<const checks::OpCase*> {};
class ExhaustiveNetworkCase : public EveryCase {};

TEST_P(EveryCase, MatchesTheDefinition) {
  expect_definition(*GetParam());
}

// What a slice begins with may lie anywhere: a kernel refuses it or computes as with any other.
TEST_P(EveryCase, MatchesTheDefinitionWhereAnOperandIsMisaligned) {
  expect_definition(*GetParam(), {}, misaligned_operand(*GetParam(), Device::cpu()));
}

// Without the plain loops, which take minutes here, and which small cases tell as much about.
TEST_P(ExhaustiveNetworkCase, MatchesTheDefinition) {
  std::set<std::string> plain;
  for (const Registry::Entry& entry : registry().entries(GetParam()->op(), DeviceKind::cpu)) {
    if (entry.place == place::plain) plain.insert(entry.name);
  }
  expect_definition(*GetParam(), plain);
}

std::string test_name(const testing::TestParamInfo<const checks::OpCase*>& info) {
  const checks::OpCase& one = *info.param;
  return str(one.op(), '_', one.info.dtype, '_', one.info.layout, '_', info.index);
}

INSTANTIATE_TEST_SUITE_P(AllOps, EveryCase, testing::ValuesIn(cases_where(false)), test_name);
INSTANTIATE_TEST_SUITE_P(AllOps, ExhaustiveNetworkCase, testing::ValuesIn(cases_where(true)),
                         test_name);

}  // namespace
}  // namespace burin
