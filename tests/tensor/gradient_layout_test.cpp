// The gradient of a result comes in whatever order of memory and dtype its other users leave it in;
// what arrives at the leaves must not depend on that.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "burin/kernels/dispatch.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/activation.h"
#include "burin/tensor/ops/attention.h"
#include "burin/tensor/ops/batch_norm.h"
#include "burin/tensor/ops/conv2d.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/grn.h"
#include "burin/tensor/ops/layer_norm.h"
#include "burin/tensor/ops/matmul.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/ops/softmax.h"
#include "burin/tensor/random.h"

namespace burin {
namespace {

Tensor normal(const Shape& shape, Layout layout = Layout::nchw) {
  static Generator generator(11);
  Tensor x = empty(shape, {.layout = layout});
  normal_(x, 0, 1, generator);
  return x;
}

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

struct Case {
  const char* name;
  std::vector<Shape> inputs;
  Function f;
};

BatchNormState statistics(const Tensor& weight, const Tensor& bias) {
  return {weight, bias, zeros(weight.shape()), full(weight.shape(), 1)};
}

const Shape images = {2, 3, 4, 6};

const Case cases[] = {
    {"conv2d",
     {images, {5, 3, 3, 3}, {5}},
     [](const auto& in) { return conv2d(in[0], in[1], in[2]); }},
    {"batch_norm",
     {images, {3}, {3}},
     [](const auto& in) {
       BatchNormState state = statistics(in[1], in[2]);
       return batch_norm_train(in[0], state, {.relu = true}, 0.1f, 1e-5f);
     }},
    {"batch_norm_max_pool",
     {images, {3}, {3}},
     [](const auto& in) {
       BatchNormState state = statistics(in[1], in[2]);
       return batch_norm_max_pool_train(in[0], state, {}, 0.1f, 1e-5f);
     }},
    {"max_pool2d", {images}, [](const auto& in) { return max_pool2d(in[0], {}); }},
    {"avg_pool2d", {images}, [](const auto& in) { return avg_pool2d(in[0], {}); }},
    {"adaptive_avg_pool2d",
     {images},
     [](const auto& in) { return adaptive_avg_pool2d(in[0], 3, 2); }},
    {"relu", {images}, [](const auto& in) { return relu(in[0]); }},
    {"gelu", {images}, [](const auto& in) { return gelu(in[0]); }},
    {"exp", {images}, [](const auto& in) { return exp(in[0]); }},
    {"subtract", {images, images}, [](const auto& in) { return in[0] - in[1]; }},
    {"multiply", {images, {3, 1, 6}}, [](const auto& in) { return in[0] * in[1]; }},
    {"mean", {images}, [](const auto& in) { return mean(in[0], {2}); }},
    {"slice", {images}, [](const auto& in) { return slice(in[0], 2, 1, 3); }},
    {"permute",
     {images},
     [](const auto& in) {
       return permute(in[0], {2, 0, 3, 1});
     }},
    {"softmax", {images}, [](const auto& in) { return softmax(in[0]); }},
    {"log_softmax", {images}, [](const auto& in) { return log_softmax(in[0]); }},
    {"layer_norm",
     {images, {6}, {6}},
     [](const auto& in) { return layer_norm(in[0], in[1], in[2], 1e-5f); }},
    {"grn", {images, {6}, {6}}, [](const auto& in) { return grn(in[0], in[1], in[2]); }},
    {"linear", {images, {5, 6}, {5}}, [](const auto& in) { return linear(in[0], in[1], in[2]); }},
    {"matmul", {{2, 4, 3}, {2, 3, 5}}, [](const auto& in) { return matmul(in[0], in[1]); }},
    {"attention", {{2, 4, 3 * 6}}, [](const auto& in) { return attention(in[0], 2); }},
};

class GradientLayout : public testing::TestWithParam<Case> {};

/// The leaves' gradients where that of the result is `dy`.
std::vector<std::vector<float>> gradients(const Case& c, const std::vector<Tensor>& values,
                                          const Tensor& dy) {
  std::vector<Tensor> leaves;
  for (const Tensor& value : values) {
    leaves.push_back(value.detach());
    leaves.back().set_requires_grad(true);
  }
  backward(c.f(leaves), dy);
  std::vector<std::vector<float>> result;
  for (const Tensor& leaf : leaves) result.push_back(leaf.grad().to_vector<float>());
  return result;
}

TEST_P(GradientLayout, OfTheResultDoesNotMatter) {
  const Case& c = GetParam();
  std::vector<Tensor> values;
  for (const Shape& shape : c.inputs) values.push_back(normal(shape));
  const Shape shape = c.f(values).shape();

  const Tensor dy = normal(shape);
  EXPECT_EQ(gradients(c, values, to_layout(dy, Layout::nhwc)), gradients(c, values, dy));

  Shape row = shape;
  row[0] = row[1] = 1;
  const Tensor stretched = expand(normal(row), shape);
  EXPECT_EQ(gradients(c, values, stretched), gradients(c, values, clone(stretched)));
}

INSTANTIATE_TEST_SUITE_P(Ops, GradientLayout, testing::ValuesIn(cases),
                         [](const auto& test) { return std::string(test.param.name); });

/// Its weight's gradient is f32 whatever the weight's dtype.
Tensor projected(const Tensor& weight) {
  return linear(full({3, 6}, 1, {weight.dtype()}), weight, {});
}

TEST(Autograd, BringsAGradientInF32InTheDtypeOfTheResult) {
  const std::function<Tensor(const Tensor&)> functions[] = {
      relu,
      gelu,
      softmax,
      exp,
      [](const Tensor& w) { return w * w; },
      [](const Tensor& w) {
        return matmul(w, full({6, 6}, 1, {w.dtype()}));
      },
      [](const Tensor& w) { return layer_norm(w, full({6}, 1), zeros({6}), 1e-5f); },
  };
  const Tensor values = cast(normal({4, 6}), DType::bf16);
  for (const auto& f : functions) {
    Tensor exact = cast(values, DType::f32), rounded = values.detach();
    exact.set_requires_grad(true);
    rounded.set_requires_grad(true);
    backward(sum(projected(f(exact))));
    backward(sum(projected(f(rounded))));
    const std::vector<float> expected = exact.grad().to_vector<float>();
    const std::vector<float> got = rounded.grad().to_vector<float>();
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], expected[i], 0.05 + 0.02 * std::abs(expected[i]));
    }
  }
}

TEST(Autograd, AddsAGradientInF32ToOneInSixteenBits) {
  const ImplGuard of_one_dtype("elementwise_binary=cpu");
  Tensor weight = full({2, 6}, 2, {DType::bf16});
  weight.set_requires_grad(true);
  for (int i = 1; i < 3; ++i) {
    backward(sum(projected(weight)) + sum(weight * weight));
    EXPECT_EQ(weight.grad().dtype(), DType::bf16);
    EXPECT_EQ(weight.grad().to_vector<float>(),
              std::vector<float>(12, 7.0f * static_cast<float>(i)));
  }
}

TEST(Autograd, ALeafsGradientIsItsOwn) {
  Tensor a = normal({3}), b = normal({3});
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  const Tensor dy = full({3}, 1);
  backward(a + b, dy);
  Tensor changed = a.grad();
  scale_(changed, 2);
  EXPECT_EQ(a.grad().to_vector<float>(), std::vector<float>(3, 2));
  EXPECT_EQ(b.grad().to_vector<float>(), std::vector<float>(3, 1));
  EXPECT_EQ(dy.to_vector<float>(), std::vector<float>(3, 1));
}

}  // namespace
}  // namespace burin
