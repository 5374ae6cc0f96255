#pragma once

#include "burin/apps/charts/axis.h"
#include "burin/apps/charts/drawing.h"

namespace burin::apps::charts {

constexpr double title_size = 15, name_size = 12, tick_size = 11;

/// The rectangle that values are drawn in, with an axis below and one to the left.
struct PlotArea {
  double left = 0, top = 0, width = 0, height = 0;
  Axis x, y;

  Point at(double x_value, double y_value) const {
    return {left + width * x.share(x_value), top + height * (1 - y.share(y_value))};
  }
  double right() const { return left + width; }
  double bottom() const { return top + height; }
};

void add_title(Drawing& drawing, const std::string& title);
/// Grid lines, ticks with their numbers, and the axes' names.
void add_axes(Drawing& drawing, const PlotArea& area, const std::string& x_name,
              const std::string& y_name);
/// The width that the numbers of a vertical axis need.
double tick_width(const Axis& axis);

}  // namespace burin::apps::charts
