// What an embedder gets wrong is refused in words: no kernel reads what is not there.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "burin/tensor/ops/batch_norm.h"
#include "burin/tensor/ops/conv2d.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/grn.h"
#include "burin/tensor/ops/layer_norm.h"
#include "burin/tensor/ops/matmul.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/random.h"
#include "support/expect_error.h"

namespace burin {
namespace {

constexpr int64_t huge = std::numeric_limits<int64_t>::max();

const Tensor images = zeros({2, 3, 6, 6});
const Tensor filters = zeros({4, 3, 3, 3});

void expect_refused(const Conv2dParams& params, std::string_view part) {
  expect_error([&] { conv2d(images, filters, {}, params); }, part);
}

TEST(Misuse, OfAConvolutionsGeometry) {
  expect_refused({.stride_h = 0}, "conv2d: stride 0, 1 and dilation 1, 1 must be positive");
  expect_refused({.pad_w = -1}, "pad 0, -1 not negative");
  expect_refused({.pad_h = huge}, "none above 2147483647");
  expect_refused({.dilation_h = huge}, "none above 2147483647");
  expect_refused({.groups = 3}, "4 output channels do not divide into 3 groups");
  expect_refused({.groups = 0}, "do not divide into 0 groups");
  // 6 - 2 * 3 - 1 is below 0, which a division that truncates makes a step of 0.
  expect_refused({.stride_h = 2, .dilation_h = 3}, "the filter [4, 3, 3, 3] does not fit");
  expect_error([] { conv2d(images, zeros({4, 3, 0, 3}), {}); }, "[4, 3, 0, 3] is empty");
}

void expect_refused(const Pool2dParams& params, std::string_view part) {
  expect_error([&] { max_pool2d(images, params); }, part);
  expect_error([&] { avg_pool2d(images, params); }, part);
}

TEST(Misuse, OfAPoolsGeometry) {
  expect_refused(Pool2dParams{.pad_h = huge}, "must be at most half of the kernel 2, 2");
  expect_refused(Pool2dParams{.kernel_h = huge}, "none above 2147483647");
  expect_refused(Pool2dParams{.stride_w = 0}, "kernel 2, 2 and stride 2, 0 must be positive");
  expect_refused(Pool2dParams{.kernel_h = 7}, "does not fit into the padded input [2, 3, 6, 6]");
}

/// What is listed by channel or class must be f32 without gaps.
void expect_f32_list(const std::function<void(const Tensor& list)>& f, int64_t count) {
  expect_error([&] { f(zeros({count}, {DType::bf16})); }, "must be f32, contiguous");
  expect_error([&] { f(expand(zeros({1}), {count})); }, "must be f32, contiguous");
}

TEST(Misuse, OfListsByChannel) {
  const Tensor rows = zeros({2, 3, 5});
  const Tensor fives = zeros({5});
  expect_f32_list([&](const Tensor& bias) { conv2d(images, filters, bias); }, 4);
  expect_f32_list([&](const Tensor& bias) { linear(rows, zeros({4, 5}), bias); }, 4);
  expect_f32_list([&](const Tensor& list) { layer_norm(rows, list, fives, 1e-5f); }, 5);
  expect_f32_list([&](const Tensor& list) { layer_norm(rows, fives, list, 1e-5f); }, 5);
  expect_f32_list([&](const Tensor& list) { grn(rows, list, fives); }, 5);
  expect_f32_list([&](const Tensor& list) { grn(rows, fives, list); }, 5);
  const Tensor target = zeros({2}, {DType::i64});
  expect_f32_list(
      [&](const Tensor& weight) {
        cross_entropy(zeros({2, 5}), target, {.class_weight = weight});
      },
      5);
  for (int i = 0; i < 4; ++i) {
    const auto with = [&](const Tensor& list) {
      Tensor lists[] = {zeros({3}), zeros({3}), zeros({3}), zeros({3})};
      lists[i] = list;
      return BatchNormState{lists[0], lists[1], lists[2], lists[3]};
    };
    expect_f32_list(
        [&](const Tensor& list) { batch_norm_inference(images, with(list), {}, 1e-5f); }, 3);
    const auto train = [&](const Tensor& list) {
      BatchNormState state = with(list);
      batch_norm_train(images, state, {}, 0.1f, 1e-5f);
    };
    expect_f32_list(train, 3);
  }
}

TEST(Misuse, OfABatchNorm) {
  BatchNormState none{zeros({0}), zeros({0}), zeros({0}), zeros({0})};
  expect_error(
      [&] {
        batch_norm_train(zeros({2, 0, 3, 3}), none, {}, 0.1f, 1e-5f);
      },
      "expected more than 1 value per channel");
  BatchNormState state{zeros({3}), zeros({3}), zeros({3}), zeros({3}), zeros({})};
  expect_error([&] { batch_norm_train(images, state, {}, 0.1f, 1e-5f); },
               "num_batches_tracked must be i64 []");
}

TEST(Misuse, OfALinearLayer) {
  expect_error(
      [] {
        linear(zeros({}), zeros({4, 3}), {});
      },
      "weight [4, 3] must be [K, C], input []");
  expect_error([] { linear(zeros({2, 0}), zeros({4, 0}), {}); }, "weight [4, 0] is empty");
  const Tensor residual = zeros({2, 4}, {DType::bf16});
  expect_error(
      [&] {
        linear(zeros({2, 3}), zeros({4, 3}), {}, {.residual = residual});
      },
      "the residual must be f32 [2, 4], contiguous");
}

TEST(Misuse, OfRandomNumbers) {
  Generator generator(1);
  Tensor x = zeros({2});
  expect_error([&] { uniform_(x, 1, 0, generator); }, "uniform: from 1 to 0");
  expect_error([&] { normal_(x, 0, -1, generator); }, "the standard deviation -1");
  expect_error([&] { truncated_normal_(x, 0, -1, generator); }, "the standard deviation -1");
  expect_error([&] { bernoulli_(x, 1.5, generator); }, "the probability 1.5 must be in [0, 1]");
}

}  // namespace
}  // namespace burin
