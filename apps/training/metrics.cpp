#include "burin/apps/training/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(int64_t classes)
    : classes_(classes), counts_(static_cast<size_t>(classes * classes), 0) {
  check(classes > 0, "confusion matrix: there are no classes");
}

int64_t ConfusionMatrix::count(int64_t actual, int64_t predicted) const {
  return counts_[static_cast<size_t>(actual * classes_ + predicted)];
}

int64_t ConfusionMatrix::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), int64_t{0});
}

double ConfusionMatrix::accuracy() const {
  int64_t right = 0;
  for (int64_t c = 0; c < classes_; ++c) right += count(c, c);
  return ratio(static_cast<double>(right), static_cast<double>(total()));
}

ClassScores ConfusionMatrix::scores(int64_t label) const {
  int64_t actual = 0;
  int64_t predicted = 0;
  for (int64_t c = 0; c < classes_; ++c) {
    actual += count(label, c);
    predicted += count(c, label);
  }
  const auto hit = static_cast<double>(count(label, label));
  ClassScores s;
  s.precision = ratio(hit, static_cast<double>(predicted));
  s.recall = ratio(hit, static_cast<double>(actual));
  s.f1 = ratio(2 * s.precision * s.recall, s.precision + s.recall);
  s.support = actual;
  return s;
}

ClassScores ConfusionMatrix::macro() const {
  ClassScores mean;
  const auto n = static_cast<double>(classes_);
  for (int64_t c = 0; c < classes_; ++c) {
    const ClassScores s = scores(c);
    mean.precision += s.precision / n;
    mean.recall += s.recall / n;
    mean.f1 += s.f1 / n;
    mean.support += s.support;
  }
  return mean;
}

ClassScores ConfusionMatrix::weighted() const {
  ClassScores mean;
  const auto all = static_cast<double>(total());
  for (int64_t c = 0; c < classes_; ++c) {
    const ClassScores s = scores(c);
    const double share = ratio(static_cast<double>(s.support), all);
    mean.precision += share * s.precision;
    mean.recall += share * s.recall;
    mean.f1 += share * s.f1;
    mean.support += s.support;
  }
  return mean;
}

double roc_auc(const std::vector<double>& scores, const std::vector<bool>& is_positive) {
  const auto is_nan = [](double score) { return std::isnan(score); };
  if (std::any_of(scores.begin(), scores.end(), is_nan)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  double rank_sum = 0;  // of the positives; ties share their mean rank
  double positives = 0;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && scores[order[end]] == scores[order[begin]]) ++end;
    const double mean_rank = (static_cast<double>(begin) + static_cast<double>(end) + 1) / 2;
    for (size_t i = begin; i < end; ++i) {
      if (!is_positive[order[i]]) continue;
      rank_sum += mean_rank;
      ++positives;
    }
    begin = end;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

double expected_calibration_error(const std::vector<double>& confidence,
                                  const std::vector<bool>& correct, int bins) {
  std::vector<double> gap(static_cast<size_t>(bins), 0);  // Σ (confidence − correct)
  for (size_t i = 0; i < confidence.size(); ++i) {
    if (std::isnan(confidence[i])) return confidence[i];
    const int bin = std::clamp(static_cast<int>(confidence[i] * bins), 0, bins - 1);
    gap[static_cast<size_t>(bin)] += confidence[i] - (correct[i] ? 1 : 0);
  }
  double sum = 0;
  for (const double g : gap) sum += std::abs(g);
  return ratio(sum, static_cast<double>(confidence.size()));
}

}  // namespace burin::apps
