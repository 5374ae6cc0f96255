// Gradients of every differentiable function of tensor/ops against central differences.
#include <gtest/gtest.h>

#include <cmath>

#include "burin/kernels/dispatch.h"
#include "burin/kernels/plugin.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/gradcheck.h"
#include "burin/tensor/ops/activation.h"
#include "burin/tensor/ops/attention.h"
#include "burin/tensor/ops/batch_norm.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/conv2d.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/dropout.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/grn.h"
#include "burin/tensor/ops/layer_norm.h"
#include "burin/tensor/ops/matmul.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/ops/softmax.h"
#include "burin/tensor/random.h"
#include "support/expect_error.h"

namespace burin {
namespace {

using Inputs = std::vector<Tensor>;

/// A leaf with normal values; `low` > 0 keeps them away from 0 and positive.
Tensor random_leaf(const Shape& shape, Layout layout = Layout::nhwc, double low = 0) {
  static Generator generator(7);
  Tensor x = empty(shape, {.layout = layout});
  if (low > 0) {
    uniform_(x, low, low + 2, generator);
  } else {
    normal_(x, 0.2, 1, generator);
  }
  x.set_requires_grad(true);
  return x;
}

void expect_gradients(const std::function<Tensor(const Inputs&)>& f, Inputs inputs,
                      const GradcheckOptions& options = {}) {
  EXPECT_EQ(gradcheck(f, std::move(inputs), options), "");
}

class InEitherLayout : public testing::TestWithParam<Layout> {};
INSTANTIATE_TEST_SUITE_P(Layouts, InEitherLayout, testing::Values(Layout::nhwc, Layout::nchw),
                         [](const auto& test) { return str(test.param); });

TEST_P(InEitherLayout, Conv2dGradients) {
  const Layout layout = GetParam();
  const Conv2dParams params{.stride_h = 2, .stride_w = 1, .pad_h = 1, .pad_w = 2, .groups = 2};
  expect_gradients(
      [&](const Inputs& in) { return conv2d(in[0], in[1], in[2], params); },
      {random_leaf({2, 4, 7, 5}, layout), random_leaf({6, 2, 3, 3}, layout), random_leaf({6})});
}

/// Three users of one tensor, as around a residual block with a projection; or of three, in[i].
Tensor branches(const Tensor& x, const Tensor& projected, const Tensor& squared, const Inputs& w) {
  const Tensor y = conv2d(x, w[0], {}, {.pad_h = 1, .pad_w = 1});
  const Tensor shortcut = conv2d(projected, w[1], {}, {});
  return y + shortcut + squared * squared;
}

TEST_P(InEitherLayout, GradientsThatMeetInAConvolution) {
  const Layout layout = GetParam();
  expect_gradients(
      [](const Inputs& in) {
        return branches(in[0], in[0], in[0], {in[1], in[2]});
      },
      {random_leaf({2, 4, 5, 3}, layout), random_leaf({4, 4, 3, 3}, layout),
       random_leaf({4, 4, 1, 1}, layout)});
}

TEST_P(InEitherLayout, GradientsThatMeetInAConvolutionAreTheSumOfEach) {
  const Layout layout = GetParam();
  const Tensor x = random_leaf({2, 16, 12, 11}, layout), dy = random_leaf(x.shape(), layout);
  const Inputs w = {random_leaf({16, 16, 3, 3}, layout), random_leaf({16, 16, 1, 1}, layout)};
  for (const char* const rule : {"cpu", "onednn", "conv2d=cpu/direct", "conv2d=cpu/im2col"}) {
    const ImplGuard guard(rule);
    Tensor each[] = {x.detach(), x.detach(), x.detach()};
    for (Tensor& one : each) one.set_requires_grad(true);
    backward(branches(each[0], each[1], each[2], w), dy);
    Tensor all = x.detach();
    all.set_requires_grad(true);
    backward(branches(all, all, all, w), dy);
    const Tensor sum = each[2].grad() + each[1].grad() + each[0].grad();  // as backward meets them
    EXPECT_EQ(all.grad().to_vector<float>(), sum.to_vector<float>()) << rule;
  }
}

TEST(Conv2d, AddsToTheGradientThatAnotherBrought) {
  if (registry().entries("elementwise_binary", DeviceKind::cpu).size() < 2) {
    GTEST_SKIP() << why_family_is_missing("onednn");
  }
  Tensor x = full({1, 1, 3, 3}, 1, {.dtype = DType::f16});
  x.set_requires_grad(true);
  const Tensor w = full({1, 1, 3, 3}, 0.5, x.options());
  const Tensor y = conv2d(x, w, {}, {}) + conv2d(x, w, {}, {});
  const ImplGuard no_addition("elementwise_binary=onednn");  // which refuses f16
  backward(y, full(y.shape(), 1, y.options()));
  EXPECT_EQ(x.grad().to_vector<float>(), std::vector<float>(9, 1));
}

TEST_P(InEitherLayout, PoolingGradients) {
  const Layout layout = GetParam();
  const Pool2dParams params{.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1};
  expect_gradients([&](const Inputs& in) { return max_pool2d(in[0], params); },
                   {random_leaf({2, 3, 7, 6}, layout)}, {.step = 1e-3, .tolerance = 5e-2});
  expect_gradients([&](const Inputs& in) { return avg_pool2d(in[0], params); },
                   {random_leaf({2, 3, 7, 6}, layout)});
  expect_gradients([&](const Inputs& in) { return adaptive_avg_pool2d(in[0], 3, 2); },
                   {random_leaf({2, 3, 7, 5}, layout)});
}

TEST_P(InEitherLayout, BatchNormGradients) {
  const Layout layout = GetParam();
  for (const bool training : {true, false}) {
    const auto f = [&](const Inputs& in) {
      BatchNormState state{in[1], in[2], zeros({3}), full({3}, 1.5)};
      const BatchNormEpilogue epilogue{in[3], false};
      return training ? batch_norm_train(in[0], state, epilogue, 0.1f, 1e-5f)
                      : batch_norm_inference(in[0], state, epilogue, 1e-5f);
    };
    expect_gradients(f, {random_leaf({2, 3, 4, 5}, layout), random_leaf({3}), random_leaf({3}),
                         random_leaf({2, 3, 4, 5}, layout)});
  }
}

TEST(BatchNorm, FusedReluPassesOnlyWhatItLetThrough) {
  const Tensor x = random_leaf({2, 3, 4, 5});
  const Tensor residual = random_leaf({2, 3, 4, 5});
  BatchNormState state{random_leaf({3}), random_leaf({3}), zeros({3}), full({3}, 1)};
  const Tensor fused = batch_norm_train(x, state, {residual, true}, 0.1f, 1e-5f);
  backward(sum(fused * fused));
  const std::vector<float> dx = x.grad().to_vector<float>();
  const std::vector<float> dresidual = residual.grad().to_vector<float>();
  for (Tensor leaf : {x, residual, state.weight, state.bias}) leaf.set_grad({});
  const Tensor plain = relu(batch_norm_train(x, state, {}, 0.1f, 1e-5f) + residual);
  EXPECT_EQ(fused.to_vector<float>(), plain.to_vector<float>());
  backward(sum(plain * plain));
  const std::vector<float> dx2 = x.grad().to_vector<float>();
  for (size_t i = 0; i < dx.size(); ++i) EXPECT_NEAR(dx[i], dx2[i], 1e-4);
  EXPECT_EQ(dresidual, residual.grad().to_vector<float>());
}

TEST_P(InEitherLayout, BatchNormMaxPoolGradients) {
  const Pool2dParams params{3, 3, 2, 2, 1, 1};
  const auto f = [&](const Inputs& in) {
    BatchNormState state{in[1], in[2], zeros({3}), full({3}, 1)};
    return batch_norm_max_pool_train(in[0], state, params, 0.1f, 1e-5f);
  };
  expect_gradients(f,
                   {random_leaf({2, 3, 7, 6}, GetParam()), random_leaf({3}, Layout::nhwc, 0.5),
                    random_leaf({3})},
                   {.step = 1e-3, .tolerance = 5e-2});
}

TEST_P(InEitherLayout, BatchNormMaxPoolIsWhatItFuses) {
  const Pool2dParams params{3, 3, 2, 2, 1, 1};
  const Tensor x = random_leaf({3, 5, 9, 8}, GetParam());
  const Tensor weight = random_leaf({5}), bias = random_leaf({5});
  const auto results = [&](const auto& forward) {
    BatchNormState state{weight, bias, zeros({5}), full({5}, 1)};
    for (Tensor leaf : {x, weight, bias}) leaf.set_grad({});
    const Tensor y = forward(state);
    backward(sum(y * y));
    return Inputs{y,           x.grad(),           weight.grad(),
                  bias.grad(), state.running_mean, state.running_variance};
  };
  const Inputs fused = results([&](BatchNormState& state) {
    return batch_norm_max_pool_train(x, state, params, 0.1f, 1e-5f);
  });
  const Inputs separate = results([&](BatchNormState& state) {
    return max_pool2d(batch_norm_train(x, state, {.relu = true}, 0.1f, 1e-5f), params);
  });
  EXPECT_EQ(fused[0].to_vector<float>(), separate[0].to_vector<float>());
  for (size_t i = 1; i < fused.size(); ++i) {
    const auto a = fused[i].to_vector<float>(), b = separate[i].to_vector<float>();
    for (size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-5 * (1 + std::abs(b[k]))) << i;
  }
}

TEST(BatchNorm, RefusesWindowsThatNoIndexCanSay) {
  BatchNormState state{full({3}, 1), zeros({3}), zeros({3}), full({3}, 1)};
  expect_error(
      [&] {
        batch_norm_max_pool_train(zeros({1, 3, 32, 32}), state, {16, 16}, 0.1f, 1e-5f);
      },
      "batch_norm_max_pool: a window of 16 x 16 has more than 255 elements");
}

TEST(BatchNorm, RefusesOneValuePerChannel) {
  BatchNormState state{full({3}, 1), zeros({3}), zeros({3}), full({3}, 1)};
  expect_error(
      [&] {
        batch_norm_train(zeros({1, 3, 1, 1}), state, {}, 0.1f, 1e-5f);
      },
      "expected more than 1 value per channel when training, got input [1, 3, 1, 1]");
}

TEST(Elementwise, Gradients) {
  expect_gradients([](const Inputs& in) { return in[0] + in[1] * in[2] - in[0]; },
                   {random_leaf({3, 4}), random_leaf({1, 4}), random_leaf({3, 1})});
  expect_gradients([](const Inputs& in) { return in[0] / in[1]; },
                   {random_leaf({3, 4}), random_leaf({4}, Layout::nchw, 0.7)});
  expect_gradients([](const Inputs& in) { return log(exp(in[0]) + sqrt(in[1])); },
                   {random_leaf({6}), random_leaf({6}, Layout::nchw, 0.7)});
}

TEST(Activation, Gradients) {
  for (const Activation kind : {Activation::gelu, Activation::gelu_tanh, Activation::sigmoid}) {
    expect_gradients([&](const Inputs& in) { return activation(in[0], kind); },
                     {random_leaf({5, 7})});
  }
  expect_gradients([](const Inputs& in) { return relu(in[0]); }, {random_leaf({5, 7})},
                   {.step = 1e-3, .tolerance = 5e-2});
}

TEST(Matmul, Gradients) {
  expect_gradients([](const Inputs& in) { return matmul(in[0], in[1]); },
                   {random_leaf({3, 5}), random_leaf({5, 4})});
  expect_gradients([](const Inputs& in) { return matmul(in[0], transpose(in[1])); },
                   {random_leaf({2, 3, 5}), random_leaf({2, 4, 5})});
  expect_gradients([](const Inputs& in) { return linear(in[0], in[1], in[2]); },
                   {random_leaf({2, 3, 5}), random_leaf({4, 5}), random_leaf({4})});
}

TEST(Reduce, Gradients) {
  expect_gradients([](const Inputs& in) { return mean(in[0]); }, {random_leaf({2, 3, 4, 5})});
  expect_gradients(
      [](const Inputs& in) {
        return sum(in[0], {1, -1});
      },
      {random_leaf({2, 3, 4, 5})});
}

TEST(Shape, Gradients) {
  expect_gradients([](const Inputs& in) { return flatten(in[0]); }, {random_leaf({2, 3, 4, 5})});
  expect_gradients(
      [](const Inputs& in) {
        return permute(in[0], {2, 0, 1});
      },
      {random_leaf({2, 3, 4})});
  expect_gradients([](const Inputs& in) { return slice(in[0], 1, 1, 3); },
                   {random_leaf({2, 4, 3})});
  expect_gradients([](const Inputs& in) { return flip(in[0], 1); }, {random_leaf({2, 4, 3})});
  expect_gradients(
      [](const Inputs& in) {
        return expand(in[0], {2, 3, 4});
      },
      {random_leaf({3, 1})});
  expect_gradients(
      [](const Inputs& in) {
        return concat({in[0], in[1]}, 1);
      },
      {random_leaf({2, 3, 2, 2}), random_leaf({2, 5, 2, 2})});
}

TEST(Softmax, Gradients) {
  expect_gradients([](const Inputs& in) { return softmax(in[0]); }, {random_leaf({3, 5})});
  expect_gradients([](const Inputs& in) { return log_softmax(in[0]); }, {random_leaf({3, 5})});
}

TEST(CrossEntropy, Gradients) {
  const Tensor target = Tensor::from(std::vector<int64_t>{2, 0, -100, 4}, {4}, {DType::i64});
  const Tensor weight = Tensor::from(std::vector<float>{1, 2, 0.5f, 1, 3}, {5});
  expect_gradients([&](const Inputs& in) { return cross_entropy(in[0], target); },
                   {random_leaf({4, 5})});
  expect_gradients(
      [&](const Inputs& in) {
        return cross_entropy(in[0], target, {.class_weight = weight, .label_smoothing = 0.1f});
      },
      {random_leaf({4, 5})});
}

TEST(LayerNorm, Gradients) {
  expect_gradients([](const Inputs& in) { return layer_norm(in[0], in[1], in[2], 1e-5f); },
                   {random_leaf({3, 2, 6}), random_leaf({6}), random_leaf({6})});
}

TEST(Attention, Gradients) {
  expect_gradients([](const Inputs& in) { return attention(in[0], 2); },
                   {random_leaf({2, 5, 3 * 2 * 4})});
}

TEST(Attention, RefusesWhatDoesNotDivideIntoHeads) {
  expect_error([] { attention(zeros({1, 2, 12}), 5); }, "attention: 12 values a token");
}

TEST(Grn, Gradients) {
  expect_gradients([](const Inputs& in) { return grn(in[0], in[1], in[2]); },
                   {random_leaf({2, 2, 3, 5}, Layout::nchw), random_leaf({5}), random_leaf({5})});
}

TEST(Linear, ResidualGradients) {
  expect_gradients(
      [](const Inputs& in) { return linear(in[0], in[1], in[2], {.residual = in[3]}); },
      {random_leaf({2, 3, 4}), random_leaf({5, 4}), random_leaf({5}), random_leaf({2, 3, 5})});
}

TEST(Linear, RefusesAFusedActivationWhereAGradientIsWanted) {
  expect_error(
      [] {
        linear(zeros({1, 2}), random_leaf({3, 2}), {}, {.activation = Activation::gelu});
      },
      "linear: a fused activation has no gradient");
}

TEST_P(InEitherLayout, RowsGradients) {
  expect_gradients([](const Inputs& in) { return from_rows(affine(to_rows(in[0]), 2, 1)); },
                   {random_leaf({2, 3, 4, 5}, GetParam())});
}

TEST(Dropout, BackwardDrawsTheMaskOfForward) {
  const Tensor x = random_leaf({40, 5});
  Generator generator(3);
  const Tensor y = dropout(x, 0.3, generator);
  backward(sum(y));
  const auto xs = x.to_vector<float>();
  const auto ys = y.to_vector<float>();
  const auto dx = x.grad().to_vector<float>();
  for (size_t i = 0; i < xs.size(); ++i) EXPECT_FLOAT_EQ(xs[i] * dx[i], ys[i]);
  EXPECT_EQ(generator.seed_and_offset().second, 1u);
}

TEST(Cast, GivesItsGradientBackInTheSourcesDtype) {
  const Tensor x = random_leaf({2, 3, 4, 4});
  const Tensor y = cast(x, DType::bf16);
  backward(sum(y * y));
  EXPECT_EQ(x.grad().dtype(), DType::f32);
  EXPECT_EQ(x.grad().strides(), x.strides());
}

TEST(Conv2d, ErrorsNameTheRuleAndTheValues) {
  expect_error(
      [] {
        conv2d(zeros({8, 4, 224, 224}), zeros({64, 3, 7, 7}), {});
      },
      "conv2d: weight [64, 3, 7, 7] expects 3 input channels (C / groups), input "
      "[8, 4, 224, 224] has 4");
  expect_error(
      [] {
        conv2d(zeros({1, 1, 2, 2}), zeros({1, 1, 5, 5}), {});
      },
      "the filter [1, 1, 5, 5] does not fit");
  expect_error(
      [] {
        matmul(zeros({2, 3}), zeros({4, 5}));
      },
      "the inner extents 3 and 4 must agree");
  expect_error([] { reshape(zeros({2, 3}), {4, -1}); }, "has 6 elements");
}

}  // namespace
}  // namespace burin
