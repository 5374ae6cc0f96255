#include "burin/data/resize.h"

#include <algorithm>
#include <cmath>

#include "burin/data/resize_passes.h"
#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

double triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/// Keys 1981 with a = −1/2, in Pillow's order of operations.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

/// One axis of a resize: [low, high) of `source` samples becomes `target` samples, of which
/// [begin, end) are wanted.
struct Axis {
  int64_t source;
  float low;
  float high;
  int64_t target;
  int64_t begin;
  int64_t end;
  Filter filter;

  bool is_identity() const {
    return source == target && low == 0.0f && high == static_cast<float>(target);
  }
};

int32_t fixed_point(double k) {
  return static_cast<int32_t>((k < 0 ? -0.5 : 0.5) + k * (1 << precision_bits));
}

int64_t nearest(double value) {
  return static_cast<int64_t>(std::floor(value + 0.5));
}

/// precompute_coeffs() and normalize_coeffs_8bpc() of Pillow's Resample.c.
Taps make_taps(const Axis& axis) {
  const double scale = static_cast<double>(axis.high - axis.low) / static_cast<double>(axis.target);
  const double filter_scale = std::max(scale, 1.0);
  const double support = (axis.filter == Filter::bilinear ? 1.0 : 2.0) * filter_scale;
  const double inverse_scale = 1.0 / filter_scale;
  double (*const filter)(double) = axis.filter == Filter::bilinear ? triangle : cubic;

  Taps taps;
  std::vector<double> weights;
  for (int64_t i = axis.begin; i < axis.end; ++i) {
    const double centre = axis.low + (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(nearest(centre - support), 0);
    const int64_t end = std::min(nearest(centre + support), axis.source);
    weights.clear();
    double sum = 0.0;
    for (int64_t j = first; j < end; ++j) {
      weights.push_back(filter((static_cast<double>(j) - centre + 0.5) * inverse_scale));
      sum += weights.back();
    }
    const int64_t count = std::max<int64_t>(end - first, 0);
    taps.outputs.push_back(
        {first, count, (count + 1) / 2 * 2, static_cast<int64_t>(taps.coefficients.size())});
    for (double& weight : weights) {
      if (sum != 0.0) weight /= sum;
      taps.coefficients.push_back(fixed_point(weight));
    }
    if (count % 2 == 1) taps.coefficients.push_back(0);
  }
  return taps;
}

Axis horizontal_axis(int64_t image_width, const ResizePlan& plan) {
  const Window& window = plan.window;
  return {image_width, plan.box.left, plan.box.right,
          plan.width,  window.left,   window.left + window.width,
          plan.filter};
}

Axis vertical_axis(int64_t image_height, const ResizePlan& plan) {
  const Window& window = plan.window;
  return {image_height, plan.box.top, plan.box.bottom,
          plan.height,  window.top,   window.top + window.height,
          plan.filter};
}

struct Range {
  int64_t begin;
  int64_t end;
};

Range needed_range(const Axis& axis) {
  if (axis.is_identity()) return {axis.begin, axis.end};
  Axis edges = axis;
  edges.end = axis.begin + 1;
  const int64_t begin = make_taps(edges).first_source();
  edges.begin = axis.end - 1;
  edges.end = axis.end;
  return {begin, make_taps(edges).end_source()};
}

void check_plan(int64_t image_width, int64_t image_height, const ResizePlan& plan) {
  const Box& box = plan.box;
  const Window& window = plan.window;
  check(plan.width >= 1 && plan.height >= 1, "resize: size must be at least 1x1, got ", plan.width,
        "x", plan.height);
  check(box.left >= 0 && box.top >= 0 && box.right <= static_cast<float>(image_width) &&
            box.bottom <= static_cast<float>(image_height) && box.left < box.right &&
            box.top < box.bottom,
        "resize: the box (", box.left, ", ", box.top, ", ", box.right, ", ", box.bottom,
        ") must be a part of the image, ", image_width, "x", image_height);
  check(window.left >= 0 && window.top >= 0 && window.width >= 1 && window.height >= 1 &&
            window.left + window.width <= plan.width && window.top + window.height <= plan.height,
        "resize: the window of ", window.width, "x", window.height, " at (", window.left, ", ",
        window.top, ") must be a part of the result, ", plan.width, "x", plan.height);
}

}  // namespace

int64_t Taps::first_source() const {
  int64_t first = outputs.front().first;
  for (const Range& range : outputs) first = std::min(first, range.first);
  return first;
}

int64_t Taps::end_source() const {
  int64_t end = 0;
  for (const Range& range : outputs) end = std::max(end, range.first + range.count);
  return end;
}

ResizePlan ResizePlan::whole(const Image& image, int64_t width, int64_t height, Filter filter) {
  return {{0, 0, static_cast<float>(image.width), static_cast<float>(image.height)},
          width,
          height,
          filter,
          {0, 0, width, height}};
}

Window needed_part(int64_t image_width, int64_t image_height, const ResizePlan& plan) {
  check_plan(image_width, image_height, plan);
  const Range columns = needed_range(horizontal_axis(image_width, plan));
  const Range rows = needed_range(vertical_axis(image_height, plan));
  return {columns.begin, rows.begin, columns.end - columns.begin, rows.end - rows.begin};
}

Image resize(const Image& image, const ResizePlan& plan) {
  check_plan(image.width, image.height, plan);
  const Window& window = plan.window;
  const Axis horizontal = horizontal_axis(image.width, plan);
  const Axis vertical = vertical_axis(image.height, plan);
  if (horizontal.is_identity() && vertical.is_identity()) return crop(image, window);

  if (vertical.is_identity()) {
    Image result(window.width, window.height);
    const Rows rows{image.row(window.top), image.row_bytes(), window.height,
                    (image.height - window.top) * image.row_bytes()};
    horizontal_pass(rows, make_taps(horizontal), result.row(0));
    return result;
  }
  // Only the rows that the second pass reads go through the first.
  const Taps row_taps = make_taps(vertical);
  const int64_t first_row = row_taps.first_source();
  const int64_t row_count = row_taps.end_source() - first_row;
  Image between;
  if (horizontal.is_identity()) {
    between = crop(image, {window.left, first_row, window.width, row_count});
  } else {
    between = Image(window.width, row_count);
    const Rows rows{image.row(first_row), image.row_bytes(), row_count,
                    (image.height - first_row) * image.row_bytes()};
    horizontal_pass(rows, make_taps(horizontal), between.row(0));
  }
  Image result(window.width, window.height);
  const Rows rows{between.row(0), between.row_bytes(), row_count,
                  static_cast<int64_t>(between.pixels.size())};
  vertical_pass(rows, first_row, row_taps, between.row_bytes(), result.row(0));
  return result;
}

Image resize(const Image& image, int64_t width, int64_t height, Filter filter) {
  return resize(image, ResizePlan::whole(image, width, height, filter));
}

}  // namespace burin::data
