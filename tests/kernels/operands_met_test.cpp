// When a kernel may read an operand without waiting for the launch before it.
#include "burin/kernels/cuda/support/operands_met.h"

#include <gtest/gtest.h>

namespace burin::cuda {
namespace {

TEST(OperandsMet, KnowsWhatALaunchHasReadAndNobodyHasWrittenSince) {
  OperandsMet operands;
  ConstView w, other;
  w.key = {7, 1};
  other.key = {8, 1};
  EXPECT_FALSE(operands.again(w));
  EXPECT_FALSE(operands.again(other));
  EXPECT_TRUE(operands.again(w));
  w.key.version = 2;  // written, perhaps by the launch before
  EXPECT_FALSE(operands.again(w));
  EXPECT_TRUE(operands.again(w));
  EXPECT_TRUE(operands.again(other));
}

TEST(OperandsMet, KnowsNothingOfAnOperandWithoutAKey) {
  OperandsMet operands;
  EXPECT_FALSE(operands.again(ConstView{}));
  EXPECT_FALSE(operands.again(ConstView{}));
}

}  // namespace
}  // namespace burin::cuda
