#include "burin/apps/training/mixing.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "burin/tensor/context.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/reduce.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/ops/softmax.h"

namespace burin::apps {
namespace {

double beta(double a, std::mt19937_64& random) {
  std::gamma_distribution<double> gamma(a, 1);
  const double x = gamma(random), y = gamma(random);
  if (x + y > 0) return x / (x + y);
  // For a below about 0.003 both underflow now and then; their ratio is then next to 0 or 1.
  return (random() & 1) != 0 ? 1 : 0;
}

/// Row i is row i − 1 of x, the first the last.
Tensor rolled(const Tensor& x) {
  const int64_t N = x.dim(0);
  if (N == 1) return x;
  return concat({slice(x, 0, N - 1, N), slice(x, 0, 0, N - 1)}, 0);
}

/// x where the mask is 1, the neighbour where it is 0, in between a mixture.
Tensor blend(const Tensor& x, const Tensor& share) {
  const Tensor mine = cast(share, x.dtype());
  return x * mine + rolled(x) * affine(mine, -1, 1);
}

/// 0 inside of a box that covers 1 − λ of the image where it fits, else 1; λ becomes what it is.
std::vector<float> box_mask(int64_t H, int64_t W, double& lambda, std::mt19937_64& random) {
  const double cut = std::sqrt(1 - lambda);
  std::uniform_real_distribution<double> uniform(0, 1);
  const auto span = [&](int64_t extent) {
    const auto centre = static_cast<int64_t>(uniform(random) * static_cast<double>(extent));
    const auto half = static_cast<int64_t>(cut * static_cast<double>(extent) / 2);
    return std::pair{std::max<int64_t>(centre - half, 0), std::min(centre + half, extent)};
  };
  const auto [top, bottom] = span(H);
  const auto [left, right] = span(W);
  std::vector<float> mask(static_cast<size_t>(H * W), 1.0f);
  for (int64_t h = top; h < bottom; ++h) {
    std::fill(mask.begin() + h * W + left, mask.begin() + h * W + right, 0.0f);
  }
  lambda = 1 - static_cast<double>((bottom - top) * (right - left)) / static_cast<double>(H * W);
  return mask;
}

}  // namespace

Mixer::Mixer(const TrainOptions& options, int64_t classes)
    : mixup_(options.mixup),
      cutmix_(options.cutmix),
      label_smoothing_(options.label_smoothing),
      seed_(options.seed),
      classes_(classes) {}

MixedBatch Mixer::mix(const TrainBatch& batch, int64_t epoch, int64_t number) const {
  const NoGradGuard no_grad;
  std::seed_seq seed{seed_, static_cast<uint64_t>(epoch), static_cast<uint64_t>(number)};
  std::mt19937_64 random(seed);
  const int64_t N = batch.size();
  const bool cuts = cutmix_ > 0 && (mixup_ <= 0 || (random() & 1) != 0);
  std::vector<float> lambda(static_cast<size_t>(N));  // of the image's own label
  MixedBatch mixed;
  if (cuts) {
    double share = beta(cutmix_, random);
    const int64_t H = batch.x.dim(2), W = batch.x.dim(3);
    const std::vector<float> mask = box_mask(H, W, share, random);
    std::fill(lambda.begin(), lambda.end(), static_cast<float>(share));
    mixed.x = blend(batch.x, Tensor::from(mask, {1, 1, H, W}, {.device = batch.x.device()}));
  } else {
    for (float& share : lambda) {
      const double drawn = beta(mixup_, random);
      share = static_cast<float>(std::max(drawn, 1 - drawn));
    }
    mixed.x = blend(batch.x, Tensor::from(lambda, {N, 1, 1, 1}, {.device = batch.x.device()}));
  }

  const std::vector<int64_t> labels = batch.labels.to_vector<int64_t>();
  const auto smooth = static_cast<float>(label_smoothing_ / static_cast<double>(classes_));
  std::vector<float> targets(static_cast<size_t>(N * classes_), smooth);
  for (int64_t i = 0; i < N; ++i) {
    const float own = lambda[static_cast<size_t>(i)];
    const auto rest = static_cast<float>(1 - label_smoothing_);
    const int64_t neighbour = labels[static_cast<size_t>((i + N - 1) % N)];
    targets[static_cast<size_t>(i * classes_ + labels[static_cast<size_t>(i)])] += own * rest;
    targets[static_cast<size_t>(i * classes_ + neighbour)] += (1 - own) * rest;
  }
  mixed.targets = Tensor::from(targets, {N, classes_}, {.device = batch.x.device()});
  return mixed;
}

Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets) {
  return affine(sum(multiply(log_softmax(logits), targets)),
                -1 / static_cast<double>(logits.dim(0)), 0);
}

}  // namespace burin::apps
