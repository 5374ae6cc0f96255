#include "burin/apps/training/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace burin::apps {
namespace {

ConfusionMatrix matrix(int64_t fake_as_fake, int64_t fake_as_real, int64_t real_as_fake,
                       int64_t real_as_real) {
  ConfusionMatrix m(2);  // 0: fake, 1: real
  const auto add = [&](int64_t actual, int64_t predicted, int64_t count) {
    for (int64_t i = 0; i < count; ++i) m.add(actual, predicted);
  };
  add(0, 0, fake_as_fake);
  add(0, 1, fake_as_real);
  add(1, 0, real_as_fake);
  add(1, 1, real_as_real);
  return m;
}

// The published table of a five-model comparison: TN 5754, FP 243, FN 121, TP 5879, positive =
// fake.
TEST(ConfusionMatrix, ReproducesAPublishedTable) {
  const ConfusionMatrix m = matrix(5879, 121, 243, 5754);
  EXPECT_NEAR(m.accuracy(), 0.96966, 5e-6);
  EXPECT_NEAR(m.scores(0).precision, 0.9603, 5e-5);
  EXPECT_NEAR(m.scores(0).recall, 0.9798, 5e-5);
  EXPECT_NEAR(m.scores(0).f1, 0.97, 5e-3);
  EXPECT_NEAR(m.scores(1).precision, 0.9794, 5e-5);
  EXPECT_NEAR(m.scores(1).recall, 0.9595, 5e-5);
  EXPECT_EQ(m.scores(0).support, 6000);
  EXPECT_EQ(m.macro().support, 11997);
}

TEST(ConfusionMatrix, ScoresAClassThatIsNeverPredictedAsZero) {
  const ConfusionMatrix m = matrix(0, 4, 0, 6);
  EXPECT_EQ(m.scores(0).precision, 0);
  EXPECT_EQ(m.scores(0).recall, 0);
  EXPECT_EQ(m.scores(0).f1, 0);
  EXPECT_NEAR(m.weighted().recall, 0.6, 1e-12);
}

TEST(RocAuc, CountsTiesHalf) {
  EXPECT_DOUBLE_EQ(roc_auc({0.1, 0.4, 0.35, 0.8}, {false, false, true, true}),
                   0.75);  // sklearn's example
  EXPECT_DOUBLE_EQ(roc_auc({0.5, 0.5, 0.5}, {true, false, false}), 0.5);
  EXPECT_TRUE(std::isnan(roc_auc({0.5}, {true})));
}

// What a model whose weights became NaN says.
TEST(RocAuc, IsNanWhereAScoreIs) {
  EXPECT_TRUE(std::isnan(roc_auc({0.1, std::nan(""), 0.35}, {false, true, true})));
}

TEST(CalibrationError, IsZeroWhereConfidenceIsAccuracy) {
  EXPECT_NEAR(expected_calibration_error({0.75, 0.75, 0.75, 0.75}, {true, true, true, false}), 0,
              1e-12);
  EXPECT_NEAR(expected_calibration_error({0.9, 0.9}, {true, false}), 0.4, 1e-12);
}

}  // namespace
}  // namespace burin::apps
