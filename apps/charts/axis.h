#pragma once

#include <string>
#include <vector>

namespace burin::apps::charts {

/// The numbers along one side of a plot.
struct Axis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<double> ticks;

  /// 0 at low, 1 at high.
  double share(double value) const;
  /// "0.25", "1e-4": as many decimals as tell the ticks apart.
  std::string text(double tick) const;
};

/// About `wanted` round ticks (1, 2 or 5 times a power of ten) whose range holds low to high.
Axis linear_axis(double low, double high, int wanted = 5);
/// The same with whole numbers from low to high exactly: epochs.
Axis whole_axis(int64_t low, int64_t high, int wanted = 8);
/// Powers of ten; low and high must be positive.
Axis logarithmic_axis(double low, double high);

}  // namespace burin::apps::charts
