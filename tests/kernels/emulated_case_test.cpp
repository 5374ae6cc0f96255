// The handwritten CUDA kernels, on the emulator, against the definitions in kernels/check: every
// case in one order of threads; all three orders with late streams are for `--all`. The programs of
// tests/emulator run the same with kernels compiled for ASan and for the race check.
#include <gtest/gtest.h>

#include <cstdlib>

#include "burin/kernels/check/case.h"

namespace burin {
namespace {

/// Runs every implementation that accepts the case.
void check_case(const checks::OpCase& one, checks::Misaligned misaligned = checks::all_aligned) {
  if (one.info.large) GTEST_SKIP() << "a network's size: for a GPU";
  if (registry().device(DeviceKind::emulator) == nullptr) GTEST_SKIP() << "no emulator was built";
  int accepted = 0;
  for (const Candidate& candidate : one.candidates(Device::emulator(), misaligned)) {
    if (!candidate.refusal.empty()) continue;
    ++accepted;
    const checks::Verdict verdict = one.check(candidate.name, Device::emulator(), misaligned);
    EXPECT_TRUE(verdict.passed) << candidate.name << " on " << one.info.problem << ' '
                                << one.info.dtype << ' ' << one.info.layout << " (" << one.info.why
                                << "): " << verdict.message;
  }
  if (accepted == 0) GTEST_SKIP() << "no CUDA kernel accepts it";
}

std::string name_of_case(const checks::OpCase& one, size_t index) {
  return str(one.op(), '_', one.info.dtype, '_', one.info.layout, '_', index);
}

class SlowEmulatedCase : public testing::TestWithParam<const checks::OpCase*> {};

TEST_P(SlowEmulatedCase, MatchesTheDefinition) {
  check_case(*GetParam());
}

INSTANTIATE_TEST_SUITE_P(AllOps, SlowEmulatedCase, testing::ValuesIn(checks::cases_of("")),
                         [](const auto& test) { return name_of_case(*test.param, test.index); });

class ExhaustiveEmulatedCase : public testing::TestWithParam<const checks::OpCase*> {
 protected:
  ExhaustiveEmulatedCase() { setenv("BURIN_EMULATOR_STREAMS", "late", 1); }
  ~ExhaustiveEmulatedCase() override {
    unsetenv("BURIN_EMULATOR_ORDER");
    unsetenv("BURIN_EMULATOR_STREAMS");
  }
};

TEST_P(ExhaustiveEmulatedCase, MatchesTheDefinitionInReverse) {
  setenv("BURIN_EMULATOR_ORDER", "reverse", 1);
  check_case(*GetParam());
}
TEST_P(ExhaustiveEmulatedCase, MatchesTheDefinitionShuffled) {
  setenv("BURIN_EMULATOR_ORDER", "shuffled", 1);
  check_case(*GetParam());
}

INSTANTIATE_TEST_SUITE_P(AllOps, ExhaustiveEmulatedCase, testing::ValuesIn(checks::cases_of("")),
                         [](const auto& test) { return name_of_case(*test.param, test.index); });

// A vector that is read at no multiple of its size loses a GPU to the process; here UBSan says so.
class ExhaustiveMisalignedCase : public testing::TestWithParam<const checks::OpCase*> {};

TEST_P(ExhaustiveMisalignedCase, MatchesTheDefinition) {
  const checks::OpCase& one = *GetParam();
  if (registry().device(DeviceKind::emulator) == nullptr) GTEST_SKIP() << "no emulator was built";
  check_case(one,
             one.info.large ? checks::all_aligned : misaligned_operand(one, Device::emulator()));
}

INSTANTIATE_TEST_SUITE_P(AllOps, ExhaustiveMisalignedCase, testing::ValuesIn(checks::cases_of("")),
                         [](const auto& test) { return name_of_case(*test.param, test.index); });

}  // namespace
}  // namespace burin
