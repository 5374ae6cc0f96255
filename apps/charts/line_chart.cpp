#include <algorithm>
#include <cmath>

#include "burin/apps/charts/charts.h"
#include "burin/apps/charts/font.h"
#include "burin/apps/charts/plot_area.h"

namespace burin::apps::charts {
namespace {

struct Range {
  double low = 1e300, high = -1e300;
  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

Axis x_axis(const LineChart& chart, const Range& range) {
  if (chart.diagonal) return linear_axis(0, 1);
  if (chart.logarithmic_x) return logarithmic_axis(range.low, range.high);
  if (!chart.whole_x) return linear_axis(range.low, range.high, 8);
  return whole_axis(static_cast<int64_t>(range.low), static_cast<int64_t>(range.high));
}

Axis y_axis(const LineChart& chart, const Range& range) {
  if (chart.diagonal) return linear_axis(0, 1);
  if (chart.shares) return linear_axis(std::min(0.5, range.low), 1);
  // Losses and rates have a natural floor; a curve far above it is better seen by itself.
  const bool near_zero = range.low >= 0 && range.low < 0.6 * range.high;
  return linear_axis(near_zero ? 0 : range.low, range.high);
}

/// Names with a stroke of their colour, in rows; returns where the plot may begin.
double add_legend(Drawing& drawing, const LineChart& chart) {
  if (chart.series.size() < 2) return 44;
  double x = 16, y = 50;
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const Series& series = chart.series[i];
    const std::string name = shortened(series.name, name_size, chart.width - 80);
    const double needed = 24 + text_width(name, name_size) + 20;
    if (x > 16 && x + needed > chart.width - 8) {
      x = 16;
      y += 18;
    }
    drawing.add(Polyline{{{x, y - 4}, {x + 18, y - 4}}, {series_ink(i)}, 2.5, series.dashed});
    drawing.add(Label{{x + 24, y}, name, name_size});
    x += needed;
  }
  return y + 16;
}

/// A curve, with its points where they are few and mean something by themselves.
void add_series(Drawing& drawing, const PlotArea& area, const Series& series, Ink ink, bool dots) {
  std::vector<Point> points;
  for (const Point& p : series.points) {
    if (std::isfinite(p.y)) points.push_back(area.at(p.x, p.y));
  }
  if (points.size() > 1) drawing.add(Polyline{points, {ink}, 2, series.dashed});
  if (!dots || points.size() > 40) return;
  for (const Point& p : points) drawing.add(Disc{p, points.size() > 20 ? 2.0 : 3.0, {ink}});
}

void add_mark(Drawing& drawing, const PlotArea& area, const Mark& mark) {
  const Point at = area.at(mark.at.x, mark.at.y);
  drawing.add(Disc{at, 5.5, {Ink::background}});
  drawing.add(Disc{at, 4, {Ink::red}});
  const bool left = at.x > area.left + area.width * 0.6;
  const double y = at.y < area.top + 20 ? at.y + 20 : at.y - 10;
  // Ground, where the name crosses a line.
  const double width = text_width(mark.name, name_size) + 6;
  drawing.add(
      Rectangle{left ? at.x - 5 - width : at.x + 5, y - 12, width, 16, {Ink::background, 0.8}});
  drawing.add(Label{{at.x + (left ? -8 : 8), y},
                    mark.name,
                    name_size,
                    left ? Anchor::end : Anchor::start,
                    {Ink::text}});
}

}  // namespace

Drawing draw(const LineChart& chart) {
  Drawing drawing{.width = chart.width, .height = chart.height, .title = {}, .elements = {}};
  add_title(drawing, chart.title);
  Range x, y;
  for (const Series& series : chart.series) {
    for (const Point& p : series.points) {
      if (!std::isfinite(p.y)) continue;
      x.take(p.x);
      y.take(p.y);
    }
  }
  if (x.low > x.high) {
    x = {0, 1};
    y = {0, 1};
  }
  PlotArea area{.x = x_axis(chart, x), .y = y_axis(chart, y)};
  area.top = add_legend(drawing, chart);
  area.left = 40 + tick_width(area.y);
  area.width = chart.width - area.left - 24;
  area.height = chart.height - area.top - 52;
  add_axes(drawing, area, chart.x_name, chart.y_name);
  if (chart.diagonal) {
    drawing.add(Polyline{{area.at(0, 0), area.at(1, 1)}, {Ink::axis}, 1.5, true});
  }
  for (size_t i = 0; i < chart.series.size(); ++i) {
    add_series(drawing, area, chart.series[i], series_ink(i), chart.whole_x);
  }
  for (const Mark& mark : chart.marks) add_mark(drawing, area, mark);
  return drawing;
}

}  // namespace burin::apps::charts
