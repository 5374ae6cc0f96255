#include <algorithm>

#include "burin/apps/charts/charts.h"
#include "burin/apps/charts/font.h"
#include "burin/apps/charts/plot_area.h"

namespace burin::apps::charts {

Drawing draw(const BarChart& chart) {
  constexpr double row = 26, bar = 16;
  double widest_name = 0, widest_text = 0, high = chart.high;
  for (const BarChart::Bar& one : chart.bars) {
    widest_name = std::max(widest_name, text_width(shortened(one.name, name_size, 220), name_size));
    widest_text = std::max(widest_text, text_width(one.text, name_size));
    if (chart.high == 0) high = std::max(high, one.value);
  }
  const double rows = row * static_cast<double>(chart.bars.size());
  Drawing drawing{.width = 640, .height = 44 + rows + 52, .title = {}, .elements = {}};
  add_title(drawing, chart.title);
  const Axis axis = linear_axis(0, high > 0 ? high : 1);
  const double left = 16 + widest_name + 10, top = 40;
  const double width = drawing.width - left - widest_text - 28;
  for (const double tick : axis.ticks) {
    const double x = left + width * axis.share(tick);
    drawing.line({x, top}, {x, top + rows}, {Ink::grid});
    drawing.add(
        Label{{x, top + rows + 16}, axis.text(tick), tick_size, Anchor::middle, {Ink::muted}});
  }
  for (size_t i = 0; i < chart.bars.size(); ++i) {
    const BarChart::Bar& one = chart.bars[i];
    const double y = top + row * static_cast<double>(i) + (row - bar) / 2;
    const double length = width * std::clamp(axis.share(one.value), 0.0, 1.0);
    drawing.add(
        Label{{left - 8, y + 12}, shortened(one.name, name_size, 220), name_size, Anchor::end});
    drawing.add(Rectangle{left, y, length, bar, {one.ink}});
    drawing.add(Label{{left + length + 6, y + 12}, one.text, name_size});
  }
  drawing.line({left, top}, {left, top + rows}, {Ink::axis});
  drawing.add(Label{{left + width / 2, top + rows + 36},
                    chart.value_name,
                    name_size,
                    Anchor::middle,
                    {Ink::muted}});
  return drawing;
}

Drawing draw(const Histogram& chart) {
  Drawing drawing{.width = 640, .height = 300, .title = {}, .elements = {}};
  add_title(drawing, chart.title);
  const auto [low, high] = std::minmax_element(chart.values.begin(), chart.values.end());
  PlotArea area;
  area.x = chart.values.empty() ? linear_axis(0, 1) : linear_axis(*low, *high, 8);
  std::vector<double> counts(static_cast<size_t>(chart.bins), 0);
  for (const double value : chart.values) {
    const auto bin = static_cast<size_t>(area.x.share(value) * chart.bins);
    ++counts[std::min(bin, counts.size() - 1)];
  }
  area.y = linear_axis(0, std::max(1.0, *std::max_element(counts.begin(), counts.end())));
  area.top = 44;
  area.left = 40 + tick_width(area.y);
  area.width = drawing.width - area.left - 24;
  area.height = drawing.height - area.top - 52;
  add_axes(drawing, area, chart.x_name, chart.y_name);
  const double width = area.width / chart.bins;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double height = area.height * area.y.share(counts[i]);
    drawing.add(Rectangle{area.left + width * static_cast<double>(i) + 0.5,
                          area.bottom() - height,
                          width - 1,
                          height,
                          {Ink::blue}});
  }
  return drawing;
}

}  // namespace burin::apps::charts
