#include "burin/apps/report/analysis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "burin/apps/table.h"

namespace burin::apps {
namespace {

constexpr int calibration_bins = 15;

bool is_right(const Evaluation& evaluation, const data::Dataset& dataset, int64_t i) {
  return evaluation.predictions[static_cast<size_t>(i)] == dataset.label(i);
}

/// Whether a stands before b in falling order: NaN, of which every comparison is false, last.
bool stands_before(double a, double b) {
  return a > b || (std::isnan(b) && !std::isnan(a));
}

/// Samples by falling score for `label`.
std::vector<int64_t> ranking(const Evaluation& evaluation, int64_t label) {
  std::vector<int64_t> order(static_cast<size_t>(evaluation.confusion.total()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return stands_before(evaluation.probability(a, label), evaluation.probability(b, label));
  });
  return order;
}

/// Σ (recall_i − recall_{i−1}) · precision_i over the distinct scores, as sklearn. NaN if a score
/// is.
double average_precision_of(const Evaluation& evaluation, const data::Dataset& dataset,
                            int64_t label) {
  const std::vector<int64_t> order = ranking(evaluation, label);
  double positives = 0, found = 0, sum = 0, last_recall = 0;
  for (const int64_t i : order) {
    const double score = evaluation.probability(i, label);
    if (std::isnan(score)) return score;
    positives += dataset.label(i) == label ? 1 : 0;
  }
  for (size_t k = 0; k < order.size(); ++k) {
    found += dataset.label(order[k]) == label ? 1 : 0;
    const bool last_of_ties = k + 1 == order.size() || evaluation.probability(order[k + 1], label) <
                                                           evaluation.probability(order[k], label);
    if (!last_of_ties) continue;
    const double recall = found / positives;
    sum += (recall - last_recall) * found / static_cast<double>(k + 1);
    last_recall = recall;
  }
  return sum;
}

void analyse_classes(Analysis& result, const Evaluation& evaluation, const data::Dataset& dataset) {
  const int64_t classes = evaluation.confusion.classes(), N = evaluation.confusion.total();
  for (int64_t c = 0; c < classes; ++c) {
    std::vector<double> scores;
    std::vector<bool> is_class;
    for (int64_t i = 0; i < N; ++i) {
      scores.push_back(evaluation.probability(i, c));
      is_class.push_back(dataset.label(i) == c);
      const double miss = scores.back() - (is_class.back() ? 1 : 0);
      result.brier += miss * miss / static_cast<double>(N);
    }
    result.auc.push_back(roc_auc(scores, is_class));
    result.average_precision.push_back(average_precision_of(evaluation, dataset, c));
  }
  for (int64_t a = 0; a < classes; ++a) {
    const auto support = static_cast<double>(evaluation.confusion.scores(a).support);
    for (int64_t p = 0; p < classes; ++p) {
      const int64_t count = evaluation.confusion.count(a, p);
      if (a != p && count > 0) {
        result.flows.push_back({a, p, count, static_cast<double>(count) / support});
      }
    }
  }
  std::stable_sort(result.flows.begin(), result.flows.end(),
                   [](const ErrorFlow& a, const ErrorFlow& b) { return a.count > b.count; });
}

void analyse_confidence(Analysis& result, const Evaluation& evaluation,
                        const data::Dataset& dataset) {
  result.reliability.resize(calibration_bins);
  std::vector<double> all;
  std::vector<bool> right;
  for (int64_t i = 0; i < evaluation.confusion.total(); ++i) {
    all.push_back(confidence(evaluation, i));
    right.push_back(is_right(evaluation, dataset, i));
    (right.back() ? result.right : result.wrong).push_back(i);
    (right.back() ? result.confidence_right : result.confidence_wrong) += all.back();
    if (!right.back() && all.back() >= 0.9) ++result.sure_and_wrong;
    if (std::isnan(all.back())) continue;  // is in no bin
    const int number =
        std::clamp(static_cast<int>(all.back() * calibration_bins), 0, calibration_bins - 1);
    charts::ReliabilityChart::Bin& bin = result.reliability[static_cast<size_t>(number)];
    ++bin.count;
    bin.confidence += all.back();
    bin.accuracy += right.back() ? 1 : 0;
  }
  for (charts::ReliabilityChart::Bin& bin : result.reliability) {
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  result.calibration_error = expected_calibration_error(all, right, calibration_bins);
  if (!result.right.empty()) result.confidence_right /= static_cast<double>(result.right.size());
  if (!result.wrong.empty()) result.confidence_wrong /= static_cast<double>(result.wrong.size());
  const auto more_confident = [&](int64_t a, int64_t b) {
    return stands_before(all[static_cast<size_t>(a)], all[static_cast<size_t>(b)]);
  };
  std::stable_sort(result.right.begin(), result.right.end(), more_confident);
  std::stable_sort(result.wrong.begin(), result.wrong.end(), more_confident);
  result.by_loss.resize(all.size());
  std::iota(result.by_loss.begin(), result.by_loss.end(), int64_t{0});
  std::stable_sort(result.by_loss.begin(), result.by_loss.end(), [&](int64_t a, int64_t b) {
    return stands_before(evaluation.sample_loss[static_cast<size_t>(a)],
                         evaluation.sample_loss[static_cast<size_t>(b)]);
  });
}

constexpr std::array<const char*, 4> trait_names = {"brightness", "contrast", "sharpness",
                                                    "colour"};
using Traits = std::array<double, trait_names.size()>;

/// Mean and deviation of the luminance, mean size of its Laplacian, mean difference of the channels
/// (0 to 255).
Traits traits_of(const data::Image& image) {
  const int64_t W = image.width, H = image.height;
  std::vector<double> luminance;
  double colour = 0;
  for (size_t p = 0; p < image.pixels.size(); p += 3) {
    const double r = image.pixels[p], g = image.pixels[p + 1], b = image.pixels[p + 2];
    luminance.push_back(0.299 * r + 0.587 * g + 0.114 * b);
    colour += std::max({r, g, b}) - std::min({r, g, b});
  }
  const auto n = static_cast<double>(luminance.size());
  double mean = 0, squares = 0, edges = 0;
  for (const double v : luminance) mean += v / n;
  for (const double v : luminance) squares += (v - mean) * (v - mean) / n;
  for (int64_t y = 1; y + 1 < H; ++y) {
    for (int64_t x = 1; x + 1 < W; ++x) {
      const double* const p = luminance.data() + y * W + x;
      edges += std::abs(4 * p[0] - p[-1] - p[1] - p[-W] - p[W]);
    }
  }
  const auto inner = static_cast<double>(std::max<int64_t>(1, (W - 2) * (H - 2)));
  return {mean, std::sqrt(squares), edges / inner, colour / n};
}

void analyse_pictures(Analysis& result, const Evaluation& evaluation,
                      const data::Dataset& dataset) {
  constexpr int64_t most = 1000;
  const int64_t N = evaluation.confusion.total();
  const int64_t looked_at = std::min(N, most);
  Traits sums[2] = {}, total = {}, squares = {};
  double counts[2] = {0, 0};
  for (int64_t k = 0; k < looked_at; ++k) {
    const int64_t i = k * N / looked_at;
    const std::shared_ptr<const data::Image> image = dataset.load(i);
    result.widths.push_back(static_cast<double>(image->width));
    result.heights.push_back(static_cast<double>(image->height));
    const Traits traits = traits_of(*image);
    const size_t side = is_right(evaluation, dataset, i) ? 0 : 1;
    ++counts[side];
    for (size_t t = 0; t < traits.size(); ++t) {
      sums[side][t] += traits[t];
      total[t] += traits[t];
      squares[t] += traits[t] * traits[t];
    }
  }
  if (counts[0] == 0 || counts[1] == 0) return;
  for (size_t t = 0; t < trait_names.size(); ++t) {
    const auto n = static_cast<double>(looked_at);
    const double deviation =
        std::sqrt(std::max(1e-12, squares[t] / n - total[t] / n * total[t] / n));
    const double right = sums[0][t] / counts[0], wrong = sums[1][t] / counts[1];
    result.traits.push_back({trait_names[t], right, wrong, (wrong - right) / deviation});
  }
}

std::string percent(double share) {
  return fixed(100 * share, 1) + " %";
}

}  // namespace

double confidence(const Evaluation& evaluation, int64_t sample) {
  return evaluation.probability(sample, evaluation.predictions[static_cast<size_t>(sample)]);
}

Analysis analyse(const Evaluation& evaluation, const data::Dataset& dataset) {
  Analysis result;
  analyse_classes(result, evaluation, dataset);
  analyse_confidence(result, evaluation, dataset);
  analyse_pictures(result, evaluation, dataset);
  return result;
}

std::vector<charts::Point> roc_curve(const Evaluation& evaluation, const data::Dataset& dataset,
                                     int64_t label) {
  const std::vector<int64_t> order = ranking(evaluation, label);
  double positives = 0;
  for (const int64_t i : order) positives += dataset.label(i) == label ? 1 : 0;
  const double negatives = static_cast<double>(order.size()) - positives;
  std::vector<charts::Point> points = {{0, 0}};
  if (positives == 0 || negatives == 0) return {{0, 0}, {1, 1}};
  double hits = 0, alarms = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    (dataset.label(order[k]) == label ? hits : alarms) += 1;
    const bool last_of_ties = k + 1 == order.size() || evaluation.probability(order[k + 1], label) <
                                                           evaluation.probability(order[k], label);
    if (last_of_ties) points.push_back({alarms / negatives, hits / positives});
  }
  return points;
}

std::vector<std::string> error_summary(const Analysis& analysis, const Evaluation& evaluation,
                                       const data::Dataset& dataset) {
  const std::vector<std::string>& classes = dataset.classes();
  const auto name = [&](int64_t c) { return "“" + classes[static_cast<size_t>(c)] + "”"; };
  const auto wrong = static_cast<int64_t>(analysis.wrong.size());
  std::vector<std::string> lines;
  lines.push_back(str(wrong, " of ", evaluation.confusion.total(), " images are answered wrong (",
                      percent(1 - evaluation.confusion.accuracy()), ")."));
  if (wrong == 0) return lines;
  for (size_t k = 0; k < std::min<size_t>(3, analysis.flows.size()); ++k) {
    const ErrorFlow& flow = analysis.flows[k];
    lines.push_back(str(name(flow.actual), " is taken for ", name(flow.predicted), ' ', flow.count,
                        flow.count == 1 ? " time" : " times", ": ", percent(flow.share),
                        " of its images."));
  }
  if (classes.size() == 2 && analysis.flows.size() == 2) {
    const ErrorFlow& more = analysis.flows[0];
    const double ratio = more.share / std::max(1e-9, analysis.flows[1].share);
    lines.push_back(ratio > 1.25 ? str("Mistakes go mostly one way: a ", name(more.actual),
                                       " image is ", fixed(ratio, 1),
                                       " times as likely to be mistaken as the other way round.")
                                 : "Mistakes go both ways about equally often.");
  }
  lines.push_back(str("The model's mean confidence is ", percent(analysis.confidence_right),
                      " where it is right and ", percent(analysis.confidence_wrong),
                      " where it is wrong; ", analysis.sure_and_wrong, " of the ", wrong,
                      " wrong answers are given with 90 % or more."));
  for (const PictureTrait& trait : analysis.traits) {
    if (std::abs(trait.difference) < 0.25 || wrong < 5) continue;
    lines.push_back(str("Pictures answered wrong have ", trait.difference < 0 ? "less " : "more ",
                        trait.name, " than the others (", fixed(trait.wrong, 1), " against ",
                        fixed(trait.right, 1), ", ", fixed(std::abs(trait.difference), 2),
                        " standard deviations)."));
  }
  return lines;
}

}  // namespace burin::apps
