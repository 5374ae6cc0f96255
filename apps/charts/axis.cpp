#include "burin/apps/charts/axis.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace burin::apps::charts {
namespace {

/// The smallest of 1, 2, 5 times a power of ten that is at least `step`.
double round_step(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

double Axis::share(double value) const {
  if (logarithmic) {
    return (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low));
  }
  return (value - low) / (high - low);
}

std::string Axis::text(double tick) const {
  char text[32];
  if (logarithmic) {
    std::snprintf(text, sizeof(text), "1e%d", static_cast<int>(std::lround(std::log10(tick))));
    return text;
  }
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
  const double largest = std::max(std::abs(low), std::abs(high));
  if (largest < 0.01) {
    std::snprintf(text, sizeof(text), "%.3g", tick);
    return tick == 0 ? "0" : text;
  }
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
  std::snprintf(text, sizeof(text), "%.*f", decimals, tick);
  return text;
}

Axis linear_axis(double low, double high, int wanted) {
  if (!(high > low)) {  // one value: some room on both sides
    const double room = low == 0 ? 1 : std::abs(low) / 2;
    low -= room;
    high += room;
  }
  const double step = round_step((high - low) / wanted);
  Axis axis;
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  axis.low = first * step;
  axis.high = last * step;
  for (double i = first; i <= last; ++i) axis.ticks.push_back(i * step);
  return axis;
}

Axis whole_axis(int64_t low, int64_t high, int wanted) {
  Axis axis;
  axis.low = static_cast<double>(low);
  axis.high = static_cast<double>(std::max(high, low + 1));
  const double span = axis.high - axis.low;
  const auto step = static_cast<int64_t>(std::max(1.0, round_step(span / wanted)));
  for (int64_t i = (low + step - 1) / step * step; i <= high; i += step) {
    axis.ticks.push_back(static_cast<double>(i));
  }
  return axis;
}

Axis logarithmic_axis(double low, double high) {
  const double first = std::floor(std::log10(low) + 1e-9),
               last = std::ceil(std::log10(high) - 1e-9);
  Axis axis{std::pow(10, first), std::pow(10, std::max(last, first + 1)), true, {}};
  for (double i = first; i <= std::max(last, first + 1); ++i) axis.ticks.push_back(std::pow(10, i));
  return axis;
}

}  // namespace burin::apps::charts
