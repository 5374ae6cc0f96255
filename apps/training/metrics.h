#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace burin::apps {

/// Precision, recall and F1 of one class, or an average of them. 0 where a divisor is 0, as in
/// sklearn.
struct ClassScores {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
  int64_t support = 0;
};

/// Counts of (actual, predicted) and what follows from them, as sklearn.metrics has it.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int64_t classes);

  void add(int64_t actual, int64_t predicted) { ++at(actual, predicted); }
  int64_t classes() const { return classes_; }
  int64_t count(int64_t actual, int64_t predicted) const;
  int64_t total() const;

  double accuracy() const;
  ClassScores scores(int64_t label) const;
  /// Unweighted mean over the classes.
  ClassScores macro() const;
  /// Mean weighted by support.
  ClassScores weighted() const;

 private:
  int64_t& at(int64_t actual, int64_t predicted) {
    return counts_[static_cast<size_t>(actual * classes_ + predicted)];
  }
  int64_t classes_;
  std::vector<int64_t> counts_;
};

/// Area under the ROC curve of `scores` for telling positives from the rest, ties counting half
/// (Mann-Whitney). NaN if either side is empty or a score is NaN.
double roc_auc(const std::vector<double>& scores, const std::vector<bool>& is_positive);

/// Expected calibration error: mean |confidence − accuracy| over `bins` equal bins of confidence,
/// weighted by their counts. Guo et al. 2017, arXiv:1706.04599.
double expected_calibration_error(const std::vector<double>& confidence,
                                  const std::vector<bool>& correct, int bins = 15);

}  // namespace burin::apps
