#include "burin/tensor/autograd.h"

#include <gtest/gtest.h>

#include <sstream>

#include "burin/tensor/context.h"
#include "burin/tensor/ops/activation.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/random.h"
#include "support/expect_error.h"

namespace burin {
namespace {

Tensor leaf(const std::vector<float>& values, const Shape& shape) {
  Tensor x = Tensor::from(values, shape);
  x.set_requires_grad(true);
  return x;
}

TEST(Autograd, AddsTheGradientsOfEveryUse) {
  const Tensor x = leaf({1, -2, 3}, {3});
  backward(sum(x * x + x));  // d/dx (x² + x) = 2x + 1
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{3, -3, 7}));
}

TEST(Autograd, AccumulatesOverCallsUntilToldToForget) {
  Tensor x = leaf({1, 2}, {2});
  backward(sum(x));
  backward(sum(x));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{2, 2}));
  x.set_grad({});
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, DoesNotShareOneGradientBetweenLeaves) {
  const Tensor a = leaf({1}, {1});
  const Tensor b = leaf({1}, {1});
  backward(sum(a + b));  // both receive the same dy
  backward(sum(a));      // must not change b's
  EXPECT_EQ(a.grad().item(), 2);
  EXPECT_EQ(b.grad().item(), 1);
}

TEST(Autograd, ABackwardFunctionMayAddToWhatOthersBrought) {
  const Tensor x = leaf({1, -2, 3}, {3});
  std::vector<float> seen;
  const Tensor first =
      record("adding", affine(x, 1, 0), {x}, [&](const Tensor& dy, Gradients& grads) {
        const Tensor so_far = grads.so_far(0);
        seen = so_far.to_vector<float>();
        grads.set_sum(0, dy + so_far);
      });
  backward(sum(first + affine(x, 10, 0) + affine(x, 100, 0)));  // the younger come first
  EXPECT_EQ(seen, (std::vector<float>{110, 110, 110}));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{111, 111, 111}));
}

TEST(Autograd, NothingWasBroughtBeforeTheFirstUser) {
  const Tensor x = leaf({1}, {1});
  bool defined = true;
  backward(record("alone", affine(x, 1, 0), {x}, [&](const Tensor& dy, Gradients& grads) {
    defined = grads.so_far(0).defined();
    grads.set(0, dy);
  }));
  EXPECT_FALSE(defined);
  EXPECT_EQ(x.grad().item(), 1);
}

TEST(Autograd, SumsOverWhatWasBroadcast) {
  const Tensor x = leaf({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor row = leaf({10, 20, 30}, {3});
  backward(sum(x * row));
  EXPECT_EQ(row.grad().to_vector<float>(), (std::vector<float>{5, 7, 9}));
  EXPECT_EQ(row.grad().shape(), Shape({3}));
}

TEST(Autograd, SumsOverWhatWasBroadcastInEitherLayout) {
  Generator generator(5);
  Tensor x = empty({2, 3, 4, 5}, {.layout = Layout::nhwc});
  normal_(x, 0, 1, generator);
  const Tensor row_major = to_layout(x, Layout::nchw);
  for (const Shape& shape : {Shape{1, 3, 4, 5}, Shape{3, 4, 5}, Shape{3, 1, 5}, Shape{3, 4, 1}}) {
    Tensor a = zeros(shape), b = zeros(shape);
    a.set_requires_grad(true);
    b.set_requires_grad(true);
    backward(x + a, x);
    backward(row_major + b, row_major);
    const std::vector<float> got = a.grad().to_vector<float>();
    const std::vector<float> expected = b.grad().to_vector<float>();
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5) << shape;
  }
}

TEST(Autograd, RecordsNothingUnderNoGrad) {
  const Tensor x = leaf({1, 2}, {2});
  const NoGradGuard no_grad;
  EXPECT_FALSE((x * x).requires_grad());
}

TEST(Autograd, WalksAndFreesALongChainWithoutRecursion) {
  const Tensor x = leaf({1}, {1});
  Tensor y = x;
  for (int i = 0; i < 200'000; ++i) y = affine(y, 1, 0);
  backward(sum(y));
  EXPECT_EQ(x.grad().item(), 1);
}

TEST(Autograd, FreesALongChainThatIsNeverUsed) {
  const Tensor x = leaf({1}, {1});
  const size_t before = allocator_of(Device::cpu())->stats().in_use_bytes;
  {
    Tensor y = x;
    for (int i = 0; i < 200'000; ++i) y = y * x;  // keeps tensors in its closures too
  }
  EXPECT_EQ(allocator_of(Device::cpu())->stats().in_use_bytes, before);
}

TEST(Autograd, AnOpThatKeepsItsOutputDoesNotOwnItself) {
  const Tensor x = leaf({1, 2}, {2});
  const size_t before = allocator_of(Device::cpu())->stats().in_use_bytes;
  { const Tensor y = relu(x); }
  EXPECT_EQ(allocator_of(Device::cpu())->stats().in_use_bytes, before);
}

TEST(Autograd, RefusesATensorThatWasChangedInPlace) {
  const Tensor x = leaf({1, 2}, {2});
  Tensor w = Tensor::from(std::vector<float>{3, 4}, {2});
  const Tensor y = sum(x * w);
  fill_(w, 0);
  expect_error([&] { backward(y); }, "a tensor f32 [2] was changed in place after it was recorded");
}

TEST(Autograd, RefusesToUseAGraphTwice) {
  const Tensor x = leaf({1, 2}, {2});
  const Tensor y = sum(x * x);
  backward(y);
  expect_error([&] { backward(y); }, "this graph was used already");
}

TEST(Autograd, RefusesWhatHasNoGradient) {
  const Tensor x = Tensor::from(std::vector<float>{1, 2}, {2});
  expect_error([&] { backward(sum(x)); }, "nothing that wants a gradient leads to this tensor");
  const Tensor w = leaf({1, 2}, {2});
  expect_error([&] { backward(w * w); }, "the tensor has shape [2], not one element");
  Tensor indices = Tensor::from(std::vector<int64_t>{1}, {1}, {DType::i64});
  expect_error([&] { indices.set_requires_grad(true); }, "a tensor of i64 has no gradient");
}

TEST(Autograd, RefusesToLoseAGradient) {
  const Tensor x = leaf({1, 2}, {2});
  Tensor sum_so_far = zeros({2}), weight = leaf({1, 2}, {2});
  expect_error([&] { max(x); }, "max: is not differentiable, and a gradient would be wanted");
  expect_error([&] { sum_of_squares(x * x); }, "sum_of_squares: is not differentiable");
  expect_error(
      [&] {
        cross_entropy_per_sample(reshape(x, {1, 2}), zeros({1}, {DType::i64}));
      },
      "cross_entropy_per_sample: is not differentiable");
  expect_error([&] { add_(sum_so_far, x * x); }, "add_: is not differentiable");
  expect_error([&] { scale_(weight, 2); }, "scale_: is not differentiable");
  expect_error([&] { copy_into(sum_so_far, x); }, "copy_into: is not differentiable");
  add_(sum_so_far, x.detach());
  const NoGradGuard no_grad;
  scale_(weight, 2);
  EXPECT_EQ(max(weight).item(), 4);
}

TEST(Autograd, PrintsTheGraph) {
  const Tensor x = leaf({1, 2}, {2});
  std::ostringstream out;
  print_graph(out, sum(relu(x)));
  EXPECT_EQ(out.str(), "%0 = sum f32 [] (%1)\n%1 = relu f32 [2] (%2)\n%2 = leaf f32 [2] ()\n");
}

}  // namespace
}  // namespace burin
