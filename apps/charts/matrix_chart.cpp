#include <algorithm>
#include <cmath>
#include <cstdio>

#include "burin/apps/charts/charts.h"
#include "burin/apps/charts/font.h"
#include "burin/apps/charts/plot_area.h"

namespace burin::apps::charts {
namespace {

// Cells with a number stay pale enough for it: 4.5 : 1 in the colour of text, on either ground.
constexpr double deepest = 0.42;
constexpr size_t most_numbers = 24;  // classes up to which the cells have room for numbers

double sum_of(const std::vector<double>& row) {
  double sum = 0;
  for (const double count : row) sum += count;
  return sum;
}

std::string cell_text(double count, double row_sum, bool normalised) {
  char text[32];
  if (normalised) {
    std::snprintf(text, sizeof(text), "%.2f", row_sum > 0 ? count / row_sum : 0);
  } else {
    std::snprintf(text, sizeof(text), "%.0f", count);
  }
  return text;
}

double cell_size(size_t classes) {
  return std::min(560.0 / static_cast<double>(classes), 130.0);
}

/// The names beside the rows and below the columns; of very many classes only some.
void add_names(Drawing& drawing, const MatrixChart& chart, Point corner, double cell) {
  const size_t K = chart.labels.size();
  const double bottom = corner.y + cell * static_cast<double>(K);
  const auto every = static_cast<size_t>(std::ceil(13 / cell));
  double widest = 0;
  for (const std::string& name : chart.labels) {
    widest = std::max(widest, text_width(name, name_size));
  }
  const bool upward = widest > cell - 6;
  for (size_t c = 0; c < K; c += every) {
    const double middle = (static_cast<double>(c) + 0.5) * cell;
    const std::string name = shortened(chart.labels[c], name_size, 130);
    drawing.add(Label{{corner.x - 8, corner.y + middle + 4}, name, name_size, Anchor::end});
    if (upward) {
      drawing.add(Label{
          {corner.x + middle + 4, bottom + 8}, name, name_size, Anchor::end, {Ink::text}, true});
    } else {
      drawing.add(Label{{corner.x + middle, bottom + 18}, name, name_size, Anchor::middle});
    }
  }
}

void add_cells(Drawing& drawing, const MatrixChart& chart, Point corner, double cell) {
  const size_t K = chart.labels.size();
  double most = 1;
  for (const std::vector<double>& row : chart.counts) {
    for (const double count : row) most = std::max(most, count);
  }
  const bool crowded = K > most_numbers;
  const double gap = crowded ? 0 : 2;
  const double side = cell * static_cast<double>(K);
  if (crowded) drawing.add(Rectangle{corner.x, corner.y, side, side, {Ink::grid}});
  const double text_size = std::clamp(cell / 4.2, 8.0, 19.0);
  for (size_t r = 0; r < K; ++r) {
    const double row_sum = sum_of(chart.counts[r]);
    for (size_t c = 0; c < K; ++c) {
      const double count = chart.counts[r][c];
      const double share = chart.normalised ? (row_sum > 0 ? count / row_sum : 0) : count / most;
      const double x = corner.x + static_cast<double>(c) * cell;
      const double y = corner.y + static_cast<double>(r) * cell;
      if (crowded && count == 0) continue;  // of a thousand classes nearly all cells are empty
      if (!crowded) drawing.add(Rectangle{x, y, cell - gap, cell - gap, {Ink::grid}});
      // Right on the diagonal, wrong beside it.
      drawing.add(Rectangle{
          x,
          y,
          cell - gap,
          cell - gap,
          {r == c ? Ink::blue : Ink::orange, std::sqrt(share) * (crowded ? 1 : deepest)}});
      if (crowded || (count == 0 && K > 6)) continue;
      drawing.add(Label{{x + (cell - gap) / 2, y + (cell - gap) / 2 + text_size * 0.36},
                        cell_text(count, row_sum, chart.normalised),
                        text_size,
                        Anchor::middle});
    }
  }
}

}  // namespace

Drawing draw(const MatrixChart& chart) {
  const size_t K = chart.labels.size();
  const double cell = cell_size(K);
  double widest = 0;
  for (const std::string& name : chart.labels) {
    widest = std::max(widest, text_width(shortened(name, name_size, 130), name_size));
  }
  const Point corner{40 + widest + 10, 44};
  const double side = cell * static_cast<double>(K);
  const double below = (widest > cell - 6 ? widest + 12 : 22) + 30;
  Drawing drawing{.width = std::max(corner.x + side + 20, 300.0),
                  .height = corner.y + side + below,
                  .title = {},
                  .elements = {}};
  add_title(drawing, chart.title);
  add_cells(drawing, chart, corner, cell);
  add_names(drawing, chart, corner, cell);
  drawing.add(Label{{corner.x + side / 2, drawing.height - 12},
                    "predicted",
                    name_size,
                    Anchor::middle,
                    {Ink::muted}});
  drawing.add(
      Label{{22, corner.y + side / 2}, "actual", name_size, Anchor::middle, {Ink::muted}, true});
  return drawing;
}

}  // namespace burin::apps::charts
