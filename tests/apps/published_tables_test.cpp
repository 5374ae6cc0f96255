// The arithmetic of the tables that two of the student projects published, from their counts.
#include <gtest/gtest.h>

#include "burin/apps/training/metrics.h"

namespace burin::apps {
namespace {

// Workflow W4's ConvNeXtV2-Base on 11,997 test images; class 0 is real, 1 is fake (the positive
// one).
TEST(PublishedTables, ConvNeXtV2BaseFromItsConfusionMatrix) {
  ConfusionMatrix matrix(2);
  const auto add = [&](int64_t actual, int64_t predicted, int count) {
    for (int i = 0; i < count; ++i) matrix.add(actual, predicted);
  };
  add(0, 0, 5754);
  add(0, 1, 243);
  add(1, 0, 121);
  add(1, 1, 5879);
  EXPECT_EQ(matrix.total(), 11'997);
  EXPECT_NEAR(matrix.accuracy(), 0.96966, 5e-6) << "published as 96.97 %";
  const ClassScores real = matrix.scores(0), fake = matrix.scores(1);
  EXPECT_NEAR(fake.precision, 0.9603, 5e-5);
  EXPECT_NEAR(fake.recall, 0.9798, 5e-5);
  EXPECT_NEAR(fake.f1, 0.97, 5e-3);
  EXPECT_EQ(fake.support, 6000);
  EXPECT_NEAR(real.precision, 0.9794, 5e-5);
  EXPECT_NEAR(real.recall, 0.9595, 5e-5);
  EXPECT_EQ(real.support, 5997);
  // With classes of nearly the same size the averages agree to the digits that were published.
  EXPECT_NEAR(matrix.macro().f1, matrix.weighted().f1, 1e-5);
}

// Workflow W3's ResNet50, of class fake: precision 94.75 %, recall 94.16 %, F1 94.45 %,
// accuracy 96.85 %.
TEST(PublishedTables, ResNet50sF1FollowsButItsAccuracyNeedsAnUnevenTestSet) {
  constexpr double precision = 0.9475, recall = 0.9416;
  EXPECT_NEAR(2 * precision * recall / (precision + recall), 0.9445, 5e-5);

  // Per fake image: 1 − recall are missed, recall · (1/precision − 1) real ones are taken for fake.
  const double errors_per_fake = 1 - recall + recall * (1 / precision - 1);
  EXPECT_NEAR(1 - errors_per_fake / 2, 0.9447, 5e-5)
      << "what a test set with as many real as fake images would give";
  // An accuracy of 96.85 % follows only where 28 % of the test images are fake.
  EXPECT_NEAR((1 - 0.9685) / errors_per_fake, 0.285, 1e-3);
}

}  // namespace
}  // namespace burin::apps
