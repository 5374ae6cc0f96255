// A ResNet's stem, whose norm, ReLU and pooling are one in training, against the separate
// functions.
#include <gtest/gtest.h>

#include "burin/models/conv_norm.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/random.h"

namespace burin::models {
namespace {

constexpr Pool2dParams pool = {3, 3, 2, 2, 1, 1};

struct Stem {
  Stem() : generator(5), conv(options(), generator), norm(8) {
    uniform_(norm.state.weight, -1, 2, generator);
    uniform_(norm.state.bias, -1, 1, generator);
  }
  static nn::Conv2dOptions options() {
    return {.in_channels = 3, .out_channels = 8, .kernel = 7, .stride = 2, .pad = 3, .bias = false};
  }
  Tensor images() {
    Tensor x = empty({4, 3, 25, 31}, {.layout = Layout::nhwc});
    normal_(x, 0, 1, generator);
    return x;
  }
  Tensor separate(const Tensor& x) {
    return max_pool2d(conv_norm(conv, norm, x, {.relu = true}), pool);
  }
  Tensor fused(const Tensor& x) { return conv_norm_max_pool(conv, norm, x, pool); }

  Generator generator;
  nn::Conv2d conv;
  nn::BatchNorm norm;
};

std::vector<float> state_of(Stem& stem) {
  std::vector<float> all;
  for (const Tensor& t :
       {stem.conv.weight.grad(), stem.norm.state.weight.grad(), stem.norm.state.bias.grad(),
        stem.norm.state.running_mean, stem.norm.state.running_variance}) {
    for (const float value : t.to_vector<float>()) all.push_back(value);
  }
  return all;
}

TEST(Stem, TrainsAsTheSeparateFunctionsDo) {
  Stem one, other;
  const Tensor x = one.images();
  const Tensor fused = one.fused(x), separate = other.separate(x);
  EXPECT_EQ(fused.to_vector<float>(), separate.to_vector<float>());
  backward(mean(fused * fused));
  backward(mean(separate * separate));
  const std::vector<float> actual = state_of(one), expected = state_of(other);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-5) << i;
  EXPECT_EQ(one.norm.state.num_batches_tracked.to_vector<int64_t>(), (std::vector<int64_t>{1}));
}

TEST(Stem, EvaluatesAsTheSeparateFunctionsDoFoldedOrNot) {
  Stem stem;
  const Tensor x = stem.images();
  stem.norm.training = false;
  EXPECT_EQ(stem.fused(x).to_vector<float>(), stem.separate(x).to_vector<float>());
  fold(stem.conv, stem.norm);
  EXPECT_EQ(stem.fused(x).to_vector<float>(), stem.separate(x).to_vector<float>());
}

}  // namespace
}  // namespace burin::models
