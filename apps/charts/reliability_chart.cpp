#include <algorithm>
#include <cmath>

#include "burin/apps/charts/charts.h"
#include "burin/apps/charts/plot_area.h"

namespace burin::apps::charts {
namespace {

constexpr Paint agreeing = {Ink::blue, 0.85};
constexpr Paint too_sure = {Ink::orange, 0.75};  // confidence above accuracy
constexpr Paint too_unsure = {Ink::teal, 0.75};  // accuracy above confidence

}  // namespace

Drawing draw(const ReliabilityChart& chart) {
  Drawing drawing{.width = 440, .height = 520, .title = {}, .elements = {}};
  add_title(drawing, chart.title);
  PlotArea area{.left = 66,
                .top = 44,
                .width = 350,
                .height = 330,
                .x = linear_axis(0, 1),
                .y = linear_axis(0, 1)};
  add_axes(drawing, area, "", "accuracy");
  const double width = area.width / static_cast<double>(chart.bins.size());
  double most = 1;
  for (const auto& bin : chart.bins) most = std::max(most, static_cast<double>(bin.count));
  PlotArea below{.left = area.left,
                 .top = area.bottom() + 34,
                 .width = area.width,
                 .height = 50,
                 .x = area.x,
                 .y = linear_axis(0, most, 1)};
  for (size_t i = 0; i < chart.bins.size(); ++i) {
    const ReliabilityChart::Bin& bin = chart.bins[i];
    if (bin.count == 0) continue;
    const double x = area.left + width * static_cast<double>(i) + 1;
    const double right = area.at(0, bin.accuracy).y, wanted = area.at(0, bin.confidence).y;
    // Up to where accuracy and confidence agree, then what one of them has more.
    const double agreed = std::max(right, wanted);
    const Paint gap = right > wanted ? too_sure : too_unsure;
    drawing.add(Rectangle{x, agreed, width - 2, area.bottom() - agreed, agreeing});
    drawing.add(Rectangle{x, std::min(right, wanted), width - 2, std::abs(right - wanted), gap});
    const double count = below.at(0, static_cast<double>(bin.count)).y;
    drawing.add(Rectangle{x, count, width - 2, below.bottom() - count, {Ink::muted, 0.7}});
  }
  drawing.add(Polyline{{area.at(0, 0), area.at(1, 1)}, {Ink::text, 0.5}, 1.5, true});
  drawing.line({below.left, below.bottom()}, {below.right(), below.bottom()}, {Ink::axis});
  drawing.add(Label{{below.left - 8, below.top + below.height / 2 + 4},
                    "images",
                    tick_size,
                    Anchor::end,
                    {Ink::muted}});
  const Point legend{area.left, drawing.height - 12};
  const std::pair<const char*, Paint> names[] = {
      {"accuracy", agreeing}, {"too sure", too_sure}, {"too unsure", too_unsure}};
  double x = legend.x;
  for (const auto& [name, paint] : names) {
    drawing.add(Rectangle{x, legend.y - 10, 12, 12, paint});
    drawing.add(Label{{x + 18, legend.y}, name, tick_size, Anchor::start, {Ink::muted}});
    x += 80;
  }
  drawing.add(Label{{area.right(), legend.y}, "confidence", name_size, Anchor::end, {Ink::muted}});
  return drawing;
}

}  // namespace burin::apps::charts
