#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace burin::apps {

/// Counts into buckets: how many values were at most 0.005, 0.01, ….
struct Histogram {
  explicit Histogram(std::vector<double> upper_bounds)
      : bounds(std::move(upper_bounds)), counts(bounds.size()) {}

  std::vector<double> bounds;    // rising
  std::vector<uint64_t> counts;  // at most the bound, and above the one before
  uint64_t total = 0;
  double sum = 0;

  void add(double value);
};

/// What the server counts, in Prometheus' text format 0.0.4. From any thread.
class ServeMetrics {
 public:
  void request(const std::string& route, int status, double seconds);
  void rejected(const std::string& code);
  /// A batch that the model has seen, with the milliseconds of its images added up.
  void batch(size_t images, double decode_ms, double preprocess_ms, double forward_ms);
  void model_loaded(const std::string& name, double seconds);

  /// `queue_depth`: images that wait for the model at this moment.
  std::string text(size_t queue_depth) const;

 private:
  struct Route {
    std::map<int, uint64_t> by_status;
    Histogram seconds{{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}};
  };

  mutable std::mutex mutex_;  // guards everything
  std::map<std::string, Route> routes_;
  std::map<std::string, uint64_t> rejected_;
  std::map<std::string, double> load_seconds_;
  Histogram batch_images_{{1, 2, 4, 8, 16}};
  std::array<double, 3> stage_seconds_{};  // decode, preprocess, forward
};

}  // namespace burin::apps
