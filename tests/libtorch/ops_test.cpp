// Ops beside LibTorch on random shapes: values and every gradient.
#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/activation.h"
#include "burin/tensor/ops/batch_norm.h"
#include "burin/tensor/ops/conv2d.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/layer_norm.h"
#include "burin/tensor/ops/matmul.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/softmax.h"
#include "libtorch/both.h"

namespace burin {
namespace {

namespace F = torch::nn::functional;
using testing_support::Both;
using testing_support::expect_same;
using testing_support::normal;
using testing_support::ours_of;

/// Draws the shapes; the layouts take turns.
class BesideLibTorch : public testing::TestWithParam<int> {
 protected:
  BesideLibTorch() : random_(static_cast<uint32_t>(GetParam())) { torch::manual_seed(GetParam()); }

  int64_t draw(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
  Layout layout() const { return GetParam() % 2 == 0 ? Layout::nhwc : Layout::nchw; }
  /// [N, C, H, W]
  Both images(int64_t C) { return normal({draw(1, 4), C, draw(6, 20), draw(6, 20)}, layout()); }

  /// Sends one random gradient through both results and compares the values and what arrives.
  void compare(const Tensor& ours, const torch::Tensor& theirs, const std::vector<Both>& inputs,
               double tolerance = 1e-5) {
    expect_same(ours, theirs, "value", tolerance);
    const torch::Tensor weight = torch::randn_like(theirs);
    backward(sum(ours * ours_of(weight, ours.layout())));
    (theirs * weight).sum().backward();
    for (size_t i = 0; i < inputs.size(); ++i) {
      ASSERT_TRUE(inputs[i].ours.grad().defined()) << "gradient " << i;
      expect_same(inputs[i].ours.grad(), inputs[i].theirs.grad(), "gradient " + std::to_string(i),
                  tolerance);
    }
  }

 private:
  std::mt19937 random_;
};

TEST_P(BesideLibTorch, Conv2d) {
  const int64_t groups = draw(1, 3), C = groups * draw(1, 9), K = groups * draw(1, 9);
  Conv2dParams p{.stride_h = draw(1, 2),
                 .stride_w = draw(1, 3),
                 .pad_h = draw(0, 2),
                 .pad_w = draw(0, 2),
                 .dilation_h = draw(1, 2),
                 .dilation_w = draw(1, 2),
                 .groups = groups};
  const Both x = images(C), b = normal({K});
  const Both w = normal({K, C / groups, draw(1, 3), draw(1, 3)}, layout());
  compare(conv2d(x.ours, w.ours, b.ours, p),
          torch::conv2d(x.theirs, w.theirs, b.theirs, {p.stride_h, p.stride_w}, {p.pad_h, p.pad_w},
                        {p.dilation_h, p.dilation_w}, groups),
          {x, w, b});
}

TEST_P(BesideLibTorch, Conv2dOfResNets) {
  const int64_t C = 8 * draw(1, 6), K = 8 * draw(1, 6), kernel = 2 * draw(0, 1) + 1;
  const Both x = images(C), w = normal({K, C, kernel, kernel}, layout());
  const int64_t stride = draw(1, 2), pad = kernel / 2;
  compare(conv2d(x.ours, w.ours, {},
                 {.stride_h = stride, .stride_w = stride, .pad_h = pad, .pad_w = pad}),
          torch::conv2d(x.theirs, w.theirs, {}, stride, pad), {x, w});
}

TEST_P(BesideLibTorch, BatchNorm) {
  const int64_t C = draw(1, 40);
  const Both x = images(C), weight = normal({C}), bias = normal({C});
  BatchNormState state{weight.ours, bias.ours, zeros({C}), full({C}, 1)};
  const torch::Tensor mean = torch::zeros({C}), variance = torch::ones({C});
  const Tensor ours = batch_norm_train(x.ours, state, {}, 0.1f, 1e-5f);
  const torch::Tensor theirs = torch::batch_norm(x.theirs, weight.theirs, bias.theirs, mean,
                                                 variance, true, 0.1, 1e-5, false);
  compare(ours, theirs, {x, weight, bias}, 2e-5);
  expect_same(state.running_mean, mean, "running mean");
  expect_same(state.running_variance, variance, "running variance");
}

TEST_P(BesideLibTorch, Pooling) {
  const int64_t kernel = draw(1, 4), stride = draw(1, 3), pad = draw(0, kernel / 2);
  const bool ceil_mode = draw(0, 1) == 1, include_pad = draw(0, 1) == 1;
  Pool2dParams p;
  p.kernel_h = p.kernel_w = kernel;
  p.stride_h = p.stride_w = stride;
  p.pad_h = p.pad_w = pad;
  p.ceil_mode = ceil_mode;
  p.count_include_pad = include_pad;
  const Both x = images(draw(1, 20));
  compare(max_pool2d(x.ours, p), torch::max_pool2d(x.theirs, kernel, stride, pad, 1, ceil_mode),
          {x});
  const Both a = images(draw(1, 20));
  compare(avg_pool2d(a.ours, p),
          torch::avg_pool2d(a.theirs, kernel, stride, pad, ceil_mode, include_pad), {a});
  const Both b = images(draw(1, 20));
  const int64_t height = draw(1, 7), width = draw(1, 7);
  compare(adaptive_avg_pool2d(b.ours, height, width),
          torch::adaptive_avg_pool2d(b.theirs, {height, width}), {b});
}

TEST_P(BesideLibTorch, Linear) {
  const int64_t C = draw(1, 300), K = draw(1, 200);
  const Both x = normal({draw(1, 60), C}), w = normal({K, C}), b = normal({K});
  compare(linear(x.ours, w.ours, b.ours), torch::linear(x.theirs, w.theirs, b.theirs), {x, w, b});
}

TEST_P(BesideLibTorch, BatchedMatmul) {
  const int64_t B = draw(1, 5), M = draw(1, 50), K = draw(1, 90), N = draw(1, 50);
  const Both a = normal({B, M, K}), b = normal({B, K, N});
  compare(matmul(a.ours, b.ours), torch::matmul(a.theirs, b.theirs), {a, b});
}

TEST_P(BesideLibTorch, Activations) {
  const std::vector<int64_t> shape{draw(1, 30), draw(1, 40)};
  const Both r = normal(shape), g = normal(shape), t = normal(shape), s = normal(shape);
  compare(relu(r.ours), torch::relu(r.theirs), {r});
  compare(gelu(g.ours), torch::gelu(g.theirs), {g});
  compare(gelu_tanh(t.ours), torch::gelu(t.theirs, "tanh"), {t});
  compare(sigmoid(s.ours), torch::sigmoid(s.theirs), {s});
}

TEST_P(BesideLibTorch, Norms) {
  const int64_t C = draw(2, 200);
  const Both x = normal({draw(1, 30), C}), weight = normal({C}), bias = normal({C});
  compare(layer_norm(x.ours, weight.ours, bias.ours, 1e-6f),
          torch::layer_norm(x.theirs, {C}, weight.theirs, bias.theirs, 1e-6), {x, weight, bias},
          2e-5);
  const Both s = normal({draw(1, 30), C}), l = normal({draw(1, 30), C});
  compare(softmax(s.ours), torch::softmax(s.theirs, 1), {s});
  compare(log_softmax(l.ours), torch::log_softmax(l.theirs, 1), {l});
}

TEST_P(BesideLibTorch, CrossEntropy) {
  const int64_t N = draw(1, 40), C = draw(2, 100);
  const Both x = normal({N, C});
  torch::Tensor target = torch::randint(C, {N}, torch::kInt64);
  if (N > 1) target[0] = -100;
  const torch::Tensor weight = torch::rand({C}) + 0.5;
  compare(cross_entropy(x.ours, ours_of(target),
                        {.class_weight = ours_of(weight), .label_smoothing = 0.1f}),
          F::cross_entropy(x.theirs, target,
                           F::CrossEntropyFuncOptions().weight(weight).label_smoothing(0.1)),
          {x});
}

TEST_P(BesideLibTorch, Broadcasting) {
  const int64_t N = draw(1, 5), C = draw(1, 20), H = draw(1, 9);
  const Both a = normal({N, C, H, 7}), b = normal({C, 1, 7}), c = normal({N, 1, H, 1});
  compare((a.ours + b.ours) * c.ours - b.ours, (a.theirs + b.theirs) * c.theirs - b.theirs,
          {a, b, c});
}

INSTANTIATE_TEST_SUITE_P(Random, BesideLibTorch, testing::Range(1, 21));

}  // namespace
}  // namespace burin
