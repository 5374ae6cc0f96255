#include "burin/apps/training/mixing.h"

#include <gtest/gtest.h>

namespace burin::apps {
namespace {

/// The share of its own label that mixup leaves to each of so many images.
std::vector<double> own_shares(double alpha, int64_t images) {
  TrainOptions options;
  options.mixup = alpha;
  std::vector<int64_t> labels;  // of each image another one than of its neighbours
  for (int64_t i = 0; i < images; ++i) labels.push_back(i % 2);
  const TrainBatch batch{zeros({images, 1, 1, 1}), Tensor::from(labels, {images}, {DType::i64})};
  const Tensor targets = Mixer(options, 2).mix(batch, 0, 0).targets;
  const std::vector<double> values = targets.to_vector<double>();
  std::vector<double> shares;
  for (int64_t i = 0; i < images; ++i) {
    shares.push_back(values[static_cast<size_t>(2 * i + i % 2)]);
  }
  return shares;
}

// Beta(0.001, 0.001) lies next to 0 and 1: but 0.7 % of it between 0.001 and 0.999. Both gamma
// variates that it is made of underflow in a quarter of the draws.
TEST(Mixup, HardlyMixesWithASmallAlpha) {
  const std::vector<double> shares = own_shares(0.001, 1000);
  int mixed = 0;
  for (const double share : shares) mixed += share < 0.999 ? 1 : 0;
  EXPECT_LE(mixed, 20);  // 7 are expected
}

}  // namespace
}  // namespace burin::apps
