#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "burin/tensor/tensor.h"

namespace burin::testing_support {

/// The same values on both sides.
struct Both {
  Tensor ours;
  torch::Tensor theirs;
};

/// A LibTorch tensor as one of ours, in the given layout.
inline Tensor ours_of(const torch::Tensor& theirs, Layout layout = Layout::nchw) {
  const torch::Tensor dense = theirs.detach().contiguous();
  Shape shape;
  for (const int64_t extent : dense.sizes()) shape.push_back(extent);
  if (dense.scalar_type() == torch::kInt64) {
    return Tensor::from(std::span<const int64_t>(dense.data_ptr<int64_t>(), numel(shape)), shape,
                        {.dtype = DType::i64, .layout = layout});
  }
  return Tensor::from(std::span<const float>(dense.data_ptr<float>(), numel(shape)), shape,
                      {.layout = layout});
}

/// Normal values that want a gradient.
inline Both normal(const std::vector<int64_t>& shape, Layout layout = Layout::nchw) {
  Both both;
  both.theirs = torch::randn(shape);
  both.ours = ours_of(both.theirs, layout);
  both.ours.set_requires_grad(true);
  both.theirs.set_requires_grad(true);
  return both;
}

/// Equal up to `tolerance` of the largest magnitude: both sides are f32 and add up in another
/// order.
inline void expect_same(const Tensor& ours, const torch::Tensor& theirs, const std::string& what,
                        double tolerance = 1e-5) {
  const std::vector<float> a = ours.to_vector<float>();
  const torch::Tensor dense = theirs.detach().to(torch::kFloat32).contiguous();
  ASSERT_EQ(static_cast<int64_t>(a.size()), dense.numel()) << what;
  const float* const b = dense.data_ptr<float>();
  const double largest = a.empty() ? 0 : dense.abs().max().item<double>();
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(a[i], b[i], tolerance * std::max(largest, 1e-3)) << what << '[' << i << ']';
  }
}

}  // namespace burin::testing_support
