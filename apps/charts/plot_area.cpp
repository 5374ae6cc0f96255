#include "burin/apps/charts/plot_area.h"

#include <algorithm>

#include "burin/apps/charts/font.h"

namespace burin::apps::charts {

void add_title(Drawing& drawing, const std::string& title) {
  drawing.title = title;
  drawing.add(Label{{16, 26}, shortened(title, title_size, drawing.width - 32), title_size});
}

double tick_width(const Axis& axis) {
  double widest = 0;
  for (const double tick : axis.ticks) {
    widest = std::max(widest, text_width(axis.text(tick), tick_size));
  }
  return widest;
}

void add_axes(Drawing& drawing, const PlotArea& area, const std::string& x_name,
              const std::string& y_name) {
  for (const double tick : area.y.ticks) {
    const double y = area.at(area.x.low, tick).y;
    drawing.line({area.left, y}, {area.right(), y}, {Ink::grid});
    drawing.add(
        Label{{area.left - 8, y + 4}, area.y.text(tick), tick_size, Anchor::end, {Ink::muted}});
  }
  for (const double tick : area.x.ticks) {
    const double x = area.at(tick, area.y.low).x;
    drawing.line({x, area.bottom()}, {x, area.bottom() + 4}, {Ink::axis});
    drawing.add(
        Label{{x, area.bottom() + 18}, area.x.text(tick), tick_size, Anchor::middle, {Ink::muted}});
  }
  drawing.line({area.left, area.bottom()}, {area.right(), area.bottom()}, {Ink::axis});
  drawing.add(Label{{area.left + area.width / 2, area.bottom() + 38},
                    x_name,
                    name_size,
                    Anchor::middle,
                    {Ink::muted}});
  drawing.add(Label{
      {22, area.top + area.height / 2}, y_name, name_size, Anchor::middle, {Ink::muted}, true});
}

}  // namespace burin::apps::charts
