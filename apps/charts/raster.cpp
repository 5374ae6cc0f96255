// Filled outlines: a line through a pixel changes what is covered in it and in all pixels to the
// right of it, so that one pass over the lines and a running sum over each row give the exact
// coverage. As Raph Levien's font-rs does it ("Inside the fastest font renderer in the world",
// 2016).
#include "burin/apps/charts/raster.h"

#include <algorithm>
#include <cmath>

#include "burin/apps/charts/font.h"

namespace burin::apps::charts {
namespace {

using Outline = std::vector<Point>;

/// Signed area gathered over a window of the image.
class Coverage {
 public:
  /// The window holds all of `outlines` that lies in the image; it is empty where a point is not
  /// finite.
  Coverage(const std::vector<Outline>& outlines, int64_t image_width, int64_t image_height) {
    double low_x = 1e9, low_y = 1e9, high_x = -1e9, high_y = -1e9;
    for (const Outline& outline : outlines) {
      for (const Point& p : outline) {
        if (!std::isfinite(p.x) || !std::isfinite(p.y)) return;
        low_x = std::min(low_x, p.x), high_x = std::max(high_x, p.x);
        low_y = std::min(low_y, p.y), high_y = std::max(high_y, p.y);
      }
    }
    const auto inside = [](double value, int64_t limit) {
      return static_cast<int64_t>(std::clamp(value, 0.0, static_cast<double>(limit)));
    };
    left = inside(std::floor(low_x), image_width);
    top = inside(std::floor(low_y), image_height);
    width = inside(std::ceil(high_x), image_width) - left;
    height = inside(std::ceil(high_y), image_height) - top;
    if (width <= 0 || height <= 0) return;
    area_.assign(static_cast<size_t>(height * (width + 2)), 0);
    for (const Outline& outline : outlines) {
      for (size_t i = 0; i < outline.size(); ++i) {
        add_line(outline[i], outline[(i + 1) % outline.size()]);
      }
    }
  }

  /// Calls f(x, y, share) for every pixel that is covered at all.
  template <class F>
  void visit(const F& f) const {
    for (int64_t y = 0; y < height; ++y) {
      float sum = 0;
      for (int64_t x = 0; x < width; ++x) {
        sum += area_[static_cast<size_t>(y * (width + 2) + x)];
        const float share = std::min(std::abs(sum), 1.0f);
        if (share > 1.0f / 512) f(left + x, top + y, static_cast<double>(share));
      }
    }
  }

  int64_t left = 0, top = 0, width = 0, height = 0;

 private:
  void add_line(Point from, Point to) {
    from.x -= static_cast<double>(left), to.x -= static_cast<double>(left);
    from.y -= static_cast<double>(top), to.y -= static_cast<double>(top);
    if (from.y == to.y) return;
    const double direction = from.y < to.y ? 1 : -1;
    if (from.y > to.y) std::swap(from, to);
    const double slope = (to.x - from.x) / (to.y - from.y);
    const double begin = std::max(from.y, 0.0), end = std::min(to.y, static_cast<double>(height));
    for (auto row = static_cast<int64_t>(begin); static_cast<double>(row) < end; ++row) {
      const double y0 = std::max(begin, static_cast<double>(row));
      const double y1 = std::min(end, static_cast<double>(row + 1));
      add_row(row, direction * (y1 - y0), from.x + slope * (y0 - from.y),
              from.x + slope * (y1 - from.y));
    }
  }

  /// A piece of line within one row, from x0 to x1, of signed height dy.
  void add_row(int64_t row, double dy, double x0, double x1) {
    if (x0 > x1) std::swap(x0, x1);
    const auto limit = static_cast<double>(width);
    x0 = std::clamp(x0, 0.0, limit), x1 = std::clamp(x1, 0.0, limit);
    float* const cells = area_.data() + row * (width + 2);
    const auto first = static_cast<int64_t>(x0);
    const auto last = static_cast<int64_t>(std::ceil(x1)) - 1;
    if (last <= first) {  // within one pixel: the part to the right of the line's middle
      const double right = 1 - ((x0 + x1) / 2 - static_cast<double>(first));
      cells[first] += static_cast<float>(dy * right);
      cells[first + 1] += static_cast<float>(dy * (1 - right));
      return;
    }
    double covered_before = 0;  // of the pixel before, as an integral over the row
    for (int64_t x = first; x <= last + 1; ++x) {
      // Mean over the piece of how much of pixel x lies right of the line.
      const double covered = dy * mean_right_of(x0, x1, static_cast<double>(x));
      cells[x] += static_cast<float>(covered - covered_before);
      covered_before = covered;
    }
  }

  /// The mean over u in [x0, x1] of clamp(x + 1 − u, 0, 1).
  static double mean_right_of(double x0, double x1, double x) {
    const auto integral = [&](double u) {  // of clamp(x + 1 − v, 0, 1) for v from x0 to u
      const double t = std::clamp(u, x, x + 1) - x;
      return std::min(u, x) + t - t * t / 2;
    };
    return (integral(x1) - integral(x0)) / (x1 - x0);
  }

  std::vector<float> area_;  // [height, width + 2]: change against the pixel to the left
};

/// Four corners around a stretch of line, always turning the same way.
Outline stroke_of(Point a, Point b, double width) {
  const double length = std::hypot(b.x - a.x, b.y - a.y);
  const double nx = (b.y - a.y) / length * width / 2, ny = -(b.x - a.x) / length * width / 2;
  return {{a.x + nx, a.y + ny}, {b.x + nx, b.y + ny}, {b.x - nx, b.y - ny}, {a.x - nx, a.y - ny}};
}

Outline disc_of(Point center, double radius) {
  const int corners = std::max(12, static_cast<int>(radius * 4));
  Outline outline;
  for (int i = 0; i < corners; ++i) {
    const double angle = 2 * 3.14159265358979 * i / corners;
    outline.push_back({center.x + radius * std::cos(angle), center.y + radius * std::sin(angle)});
  }
  return outline;
}

/// The strokes of a polyline between its dashes.
std::vector<std::pair<Point, Point>> dashes_of(const std::vector<Point>& points, bool dashed,
                                               double scale) {
  std::vector<std::pair<Point, Point>> pieces;
  double travelled = 0;
  const double on = 5 * scale, period = 9 * scale;
  for (size_t i = 1; i < points.size(); ++i) {
    const Point a = points[i - 1], b = points[i];
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    if (length == 0) continue;
    if (!dashed) {
      pieces.emplace_back(a, b);
      continue;
    }
    const auto at = [&](double d) {
      return Point{a.x + (b.x - a.x) * d / length, a.y + (b.y - a.y) * d / length};
    };
    for (double d = 0; d < length;) {
      const double phase = std::fmod(travelled + d, period);
      const double step = std::min((phase < on ? on : period) - phase + 1e-9, length - d);
      if (phase < on) pieces.emplace_back(at(d), at(d + step));
      d += step;
    }
    travelled += length;
  }
  return pieces;
}

class Painter {
 public:
  Painter(data::Image& image, double scale) : image_(image), scale_(scale) {}

  void operator()(const Polyline& line) const {
    const double width = line.width * scale_;
    std::vector<Point> points;
    for (const Point& p : line.points) points.push_back(scaled(p));
    std::vector<Outline> outlines;
    for (const auto& [a, b] : dashes_of(points, line.dashed, scale_)) {
      outlines.push_back(stroke_of(a, b, width));
    }
    for (size_t i = 1; i + 1 < points.size() && width > 2; ++i) {
      outlines.push_back(disc_of(points[i], width / 2));
    }
    if (outlines.size() == 1) {
      fill(outlines, line.paint);
    } else {
      fill_each(outlines, line.paint);
    }
  }
  void operator()(const Polygon& polygon) const {
    Outline outline;
    for (const Point& p : polygon.points) outline.push_back(scaled(p));
    fill({outline}, polygon.paint);
  }
  void operator()(const Rectangle& r) const {
    fill({{scaled({r.x, r.y}), scaled({r.x + r.width, r.y}),
           scaled({r.x + r.width, r.y + r.height}), scaled({r.x, r.y + r.height})}},
         r.paint);
  }
  void operator()(const Disc& disc) const {
    fill({disc_of(scaled(disc.center), disc.radius * scale_)}, disc.paint);
  }
  void operator()(const Label& label) const {
    const double size = label.size * scale_;
    const double width = text_width(label.text, size);
    const double shift = label.anchor == Anchor::start    ? 0
                         : label.anchor == Anchor::middle ? -width / 2
                                                          : -width;
    const Point origin = scaled(label.at);
    std::vector<Outline> outlines = text_outlines(label.text, size);
    for (Outline& outline : outlines) {
      for (Point& p : outline) {
        const double along = p.x + shift, down = p.y;
        p = label.upward ? Point{origin.x + down, origin.y - along}
                         : Point{origin.x + along, origin.y + down};
      }
    }
    fill(outlines, label.paint);
  }

 private:
  Point scaled(Point p) const { return {p.x * scale_, p.y * scale_}; }

  void blend(int64_t x, int64_t y, double share, Rgb color) const {
    uint8_t* const pixel = image_.row(y) + 3 * x;
    const uint8_t ink[3] = {color.r, color.g, color.b};
    for (int c = 0; c < 3; ++c) {
      pixel[c] = static_cast<uint8_t>(std::lround(pixel[c] + share * (ink[c] - pixel[c])));
    }
  }
  void fill(const std::vector<Outline>& outlines, const Paint& paint) const {
    const Rgb color = color_of(paint.ink, false);
    Coverage(outlines, image_.width, image_.height).visit([&](int64_t x, int64_t y, double share) {
      blend(x, y, share * paint.opacity, color);
    });
  }
  /// Pieces of a line overlap at their joints: a pixel is painted once, by the piece that covers
  /// most of it.
  void fill_each(const std::vector<Outline>& outlines, const Paint& paint) const {
    std::vector<float> most(static_cast<size_t>(image_.width * image_.height), 0);
    for (const Outline& outline : outlines) {
      Coverage({outline}, image_.width, image_.height)
          .visit([&](int64_t x, int64_t y, double share) {
            float& kept = most[static_cast<size_t>(y * image_.width + x)];
            kept = std::max(kept, static_cast<float>(share));
          });
    }
    const Rgb color = color_of(paint.ink, false);
    for (int64_t y = 0; y < image_.height; ++y) {
      for (int64_t x = 0; x < image_.width; ++x) {
        const float share = most[static_cast<size_t>(y * image_.width + x)];
        if (share > 0) blend(x, y, static_cast<double>(share) * paint.opacity, color);
      }
    }
  }

  data::Image& image_;
  double scale_;
};

}  // namespace

void paint(data::Image& image, const std::vector<Element>& elements, double scale) {
  for (const Element& element : elements) std::visit(Painter(image, scale), element);
}

data::Image rasterised(const Drawing& drawing, double scale) {
  data::Image image(std::lround(drawing.width * scale), std::lround(drawing.height * scale));
  paint(image, {Rectangle{0, 0, drawing.width, drawing.height, {Ink::background}}}, scale);
  paint(image, drawing.elements, scale);
  return image;
}

}  // namespace burin::apps::charts
