// Ops on operands that lie otherwise in memory than the kernels want them.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "burin/tensor/context.h"
#include "burin/tensor/gradcheck.h"
#include "burin/tensor/ops/conv2d.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/matmul.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/random.h"

namespace burin {
namespace {

using Inputs = std::vector<Tensor>;

Tensor random_leaf(const Shape& shape, Layout layout = Layout::nchw) {
  static Generator generator(9);
  Tensor x = empty(shape, {.layout = layout});
  normal_(x, 0.2, 1, generator);
  x.set_requires_grad(true);
  return x;
}

void expect_gradients(const std::function<Tensor(const Inputs&)>& f, Inputs inputs) {
  EXPECT_EQ(gradcheck(f, std::move(inputs)), "");
}

TEST(Conv2dFused, TakesAResidualOfAnyLayout) {
  const NoGradGuard no_grad;
  for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
    const Tensor x = random_leaf({2, 3, 5, 4}, layout);
    const Tensor w = random_leaf({4, 3, 1, 1});
    const Tensor residual = random_leaf({2, 4, 5, 4}, Layout::nhwc);
    const auto sum = [&](Layout of_residual) {
      return conv2d_fused(x, w, {}, to_layout(residual, of_residual), Activation::none)
          .to_vector<float>();
    };
    EXPECT_EQ(sum(Layout::nchw), sum(Layout::nhwc));
  }
}

TEST(Matmul, TakesViewsWithoutDenseLines) {
  const auto rotated = [](const Tensor& x) { return permute(x, {2, 1, 0}); };
  const Tensor a = random_leaf({3, 4, 2}), b = random_leaf({5, 3, 2});
  EXPECT_EQ(matmul(rotated(a), rotated(b)).to_vector<float>(),
            matmul(contiguous(rotated(a)), contiguous(rotated(b))).to_vector<float>());
  expect_gradients([&](const Inputs& in) { return matmul(rotated(in[0]), rotated(in[1])); },
                   {a, b});
  const Tensor column = random_leaf({5, 3});
  expect_gradients(
      [](const Inputs& in) {
        return linear(in[0], expand(slice(in[1], 1, 1, 2), {5, 4}), {});
      },
      {random_leaf({2, 4}), column});
}

}  // namespace
}  // namespace burin
