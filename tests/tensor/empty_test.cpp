// A batch of no images, as a filter before the network may leave it: every op makes nothing of it,
// and gives its parameters a gradient of 0.
#include <gtest/gtest.h>

#include <functional>

#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/activation.h"
#include "burin/tensor/ops/attention.h"
#include "burin/tensor/ops/batch_norm.h"
#include "burin/tensor/ops/conv2d.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/grn.h"
#include "burin/tensor/ops/layer_norm.h"
#include "burin/tensor/ops/matmul.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/ops/softmax.h"

namespace burin {
namespace {

using Inputs = std::vector<Tensor>;

void expect_nothing(const Shape& y_shape, const std::function<Tensor(const Inputs&)>& f,
                    Inputs inputs) {
  for (Tensor& input : inputs) input.set_requires_grad(true);
  const Tensor y = f(inputs);
  EXPECT_EQ(y.shape(), y_shape);
  backward(y, zeros(y_shape));
  for (const Tensor& input : inputs) {
    ASSERT_TRUE(input.grad().defined());
    EXPECT_EQ(input.grad().shape(), input.shape());
    EXPECT_EQ(input.grad().to_vector<float>(),
              std::vector<float>(static_cast<size_t>(input.numel()), 0));
  }
}

TEST(Empty, BatchOfImages) {
  for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
    const Tensor x = empty({0, 3, 6, 4}, {.layout = layout});
    const auto image = [&](const auto& f) { return [f](const Inputs& in) { return f(in[0]); }; };
    expect_nothing({0, 5, 4, 2}, [](const Inputs& in) { return conv2d(in[0], in[1], in[2]); },
                   {x, full({5, 3, 3, 3}, 1), full({5}, 1)});
    expect_nothing(x.shape(),
                   [](const Inputs& in) {
                     const BatchNormState state{in[1], in[2], zeros({3}), full({3}, 1)};
                     return batch_norm_inference(in[0], state, {.relu = true}, 1e-5f);
                   },
                   {x, full({3}, 1), full({3}, 1)});
    expect_nothing({0, 3, 3, 2}, image([](const Tensor& t) { return max_pool2d(t, {}); }), {x});
    expect_nothing({0, 3, 3, 2}, image([](const Tensor& t) { return avg_pool2d(t, {}); }), {x});
    expect_nothing({0, 3}, image([](const Tensor& t) { return global_avg_pool2d(t); }), {x});
    expect_nothing({0, 72}, image([](const Tensor& t) { return flatten(t); }), {x});
    expect_nothing(x.shape(), image([](const Tensor& t) { return relu(t) * t; }), {x});
  }
}

TEST(Empty, BatchOfTokens) {
  const Tensor x = zeros({0, 4, 6});
  expect_nothing({0, 4, 5}, [](const Inputs& in) { return linear(in[0], in[1], in[2]); },
                 {x, full({5, 6}, 1), full({5}, 1)});
  expect_nothing(x.shape(), [](const Inputs& in) { return layer_norm(in[0], in[1], in[2], 1e-5f); },
                 {x, full({6}, 1), full({6}, 1)});
  expect_nothing(x.shape(), [](const Inputs& in) { return grn(in[0], in[1], in[2]); },
                 {x, full({6}, 1), full({6}, 1)});
  expect_nothing(x.shape(), [](const Inputs& in) { return softmax(in[0]); }, {x});
  expect_nothing({0, 4, 2}, [](const Inputs& in) { return attention(in[0], 2); }, {x});
}

TEST(Empty, Matrices) {
  const auto product = [](const Inputs& in) { return matmul(in[0], in[1]); };
  expect_nothing({0, 4}, product, {zeros({0, 3}), full({3, 4}, 1)});
  expect_nothing({2, 0}, product, {full({2, 3}, 1), zeros({3, 0})});
  expect_nothing({0, 2, 4}, product, {zeros({0, 2, 3}), zeros({0, 3, 4})});
  // Sums of nothing.
  expect_nothing({2, 4}, product, {zeros({2, 0}), zeros({0, 4})});
  EXPECT_EQ(matmul(zeros({1, 0}), zeros({0, 3})).to_vector<float>(), std::vector<float>(3, 0));
}

}  // namespace
}  // namespace burin
