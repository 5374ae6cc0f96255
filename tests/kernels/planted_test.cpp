// The suite's own test: right answers of every op, damaged as wrong kernels damage them, must be
// caught by the op's cases. (conv2d_test.cpp and matmul_test.cpp plant whole kernels.)
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "burin/kernels/activation.h"
#include "burin/kernels/adam.h"
#include "burin/kernels/attention.h"
#include "burin/kernels/base/half.h"
#include "burin/kernels/batch_norm.h"
#include "burin/kernels/batch_norm_max_pool.h"
#include "burin/kernels/check/case.h"
#include "burin/kernels/concat.h"
#include "burin/kernels/conv2d.h"
#include "burin/kernels/copy.h"
#include "burin/kernels/cross_entropy.h"
#include "burin/kernels/dropout.h"
#include "burin/kernels/elementwise.h"
#include "burin/kernels/ema.h"
#include "burin/kernels/fill.h"
#include "burin/kernels/gather_u8.h"
#include "burin/kernels/layer_norm.h"
#include "burin/kernels/matmul.h"
#include "burin/kernels/normalize_u8.h"
#include "burin/kernels/pool2d.h"
#include "burin/kernels/reduce.h"
#include "burin/kernels/run.h"
#include "burin/kernels/sgd.h"
#include "burin/kernels/softmax.h"

namespace burin {
namespace {

double get(const View& view, int64_t index) {
  return checks::read_element(view.data, view.dtype,
                              checks::offset_of(index, view.shape, view.strides));
}
void set(const View& view, int64_t index, double value) {
  checks::write_element(view.data, view.dtype, checks::offset_of(index, view.shape, view.strides),
                        value);
}

/// What a wrong kernel does to an output. Returns false where it would not show: then nothing was
/// changed.
using Damage = bool (*)(const View& view, const std::vector<double>& before);

/// The last element keeps what memory held before the kernel ran.
bool forget_the_tail(const View& view, const std::vector<double>& before) {
  const int64_t last = view.numel() - 1;
  const double right = get(view, last), old = before.back();
  if (right == old || (std::isnan(right) && std::isnan(old))) return false;
  set(view, last, before.back());
  return true;
}

/// Sums kept in bf16 are at best as good as this.
bool round_to_bf16(const View& view, const std::vector<double>& /*before*/) {
  if (view.dtype != DType::f32) return false;
  bool changed = false;
  for (int64_t i = 0; i < view.numel(); ++i) {
    const auto value = static_cast<float>(get(view, i));
    const auto rounded = static_cast<float>(bfloat16(value));
    changed |= value == value && rounded != value;
    set(view, i, static_cast<double>(rounded));
  }
  return changed;
}

/// Two strides are mixed up: element [.., 0, 1] comes to lie where [.., 1, 0] belongs.
bool swap_strides(const View& view, const std::vector<double>& /*before*/) {
  const int rank = view.rank();
  if (rank < 2 || view.dim(rank - 1) < 2 || view.dim(rank - 2) < 2) return false;
  const double a = get(view, 1), b = get(view, view.dim(rank - 1));
  if (a == b) return false;
  set(view, 1, b);
  set(view, view.dim(rank - 1), a);
  return true;
}

struct Count {
  int shown = 0;   // outputs that were damaged visibly
  int caught = 0;  // of these, reported by the comparison
};

constexpr std::pair<const char*, Damage> damages[] = {
    {"forgotten tail", forget_the_tail}, {"bf16", round_to_bf16}, {"swapped stride", swap_strides}};

/// Damages every output of every small case of an op, one at a time.
template <class Op>
std::map<std::string, Count> damage_every_case() {
  std::map<std::string, Count> counts;
  for (const checks::OpCase* const one : checks::cases_of(Op::name)) {
    const auto* const typed = dynamic_cast<const checks::TypedCase<Op>*>(one);
    if (typed == nullptr || one->info.large) continue;
    for (const auto& [name, damage] : damages) {
      checks::Operands operands(Device::cpu());
      const checks::Problem<Op> problem = typed->make(operands);
      std::vector<std::vector<double>> before;
      for (const checks::Expectation& e : problem.expectations) {
        before.push_back(operands.read(e.actual));
      }
      run(problem.op, operands.stream());
      for (size_t i = 0; i < problem.expectations.size(); ++i) {
        const checks::Expectation& e = problem.expectations[i];
        if (before[i].empty() || !damage(e.actual, before[i])) continue;
        Count& count = counts[name];
        ++count.shown;
        count.caught += checks::compare(e, operands).passed ? 0 : 1;
      }
    }
  }
  return counts;
}

template <class Op>
class SlowPlanted : public testing::Test {};

using Ops =
    testing::Types<ActivationForward, ActivationBackward, AdamStep, AttentionForward,
                   AttentionBackward, BatchNormTrain, BatchNormInference, BatchNormBackward,
                   BatchNormMaxPoolTrain, BatchNormMaxPoolBackward, Concat, Conv2dForward,
                   Conv2dBackwardData, Conv2dBackwardWeight, Copy, CrossEntropyForward,
                   CrossEntropyBackward, DropoutForward, DropoutBackward, ElementwiseBinary,
                   ElementwiseUnary, EmaStep, Fill, LayerNormForward, LayerNormBackward, Matmul,
                   NormalizeU8, GatherU8, MaxPool2dForward, MaxPool2dBackward, AvgPool2dForward,
                   AvgPool2dBackward, AdaptiveAvgPool2dForward, AdaptiveAvgPool2dBackward, Reduce,
                   SgdStep, SoftmaxForward, SoftmaxBackward>;

struct OpName {
  template <class Op>
  static std::string GetName(int /*index*/) {
    return std::string(Op::name);
  }
};
TYPED_TEST_SUITE(SlowPlanted, Ops, OpName);

TYPED_TEST(SlowPlanted, DamageIsCaught) {
  const std::map<std::string, Count> counts = damage_every_case<TypeParam>();
  EXPECT_GE(counts.size(), 2u);
  // Not all: two elements that change places may differ by less than their tolerance, and a sum of
  // terms that cancel is allowed what bf16 loses of it.
  for (const auto& [name, count] : counts) {
    EXPECT_GE(count.caught, 0.85 * count.shown) << name << ", shown " << count.shown;
    EXPECT_GT(count.shown, 0) << name;
  }
}

TEST(Compare, TakesNothingButTheInfinityThatIsExpected) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  checks::Operands operands(Device::cpu());
  const View y = operands.output(DType::f32, {1});
  const checks::Expectation expectation{"y", y, [](int64_t) {
                                          return checks::Expected{-infinity, infinity};
                                        }};
  for (const double wrong : {infinity, -3e38, std::nan("")}) {
    set(y, 0, wrong);
    EXPECT_FALSE(checks::compare(expectation, operands).passed) << wrong;
  }
  set(y, 0, -infinity);
  EXPECT_TRUE(checks::compare(expectation, operands).passed);
}

}  // namespace
}  // namespace burin
