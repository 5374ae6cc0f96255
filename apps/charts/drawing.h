#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace burin::apps::charts {

/// Colours by their use, so that a picture can be shown on light and on dark ground.
enum class Ink : uint8_t {
  background,
  text,
  muted,  // ticks, units, what explains
  axis,
  grid,
  blue,
  orange,
  green,
  purple,
  teal,
  red,
};
constexpr int inks = 11;

/// The colour of series i.
Ink series_ink(size_t i);

struct Rgb {
  uint8_t r, g, b;
};
Rgb color_of(Ink ink, bool dark);
/// "blue"
const char* name_of(Ink ink);

struct Paint {
  Ink ink = Ink::text;
  double opacity = 1;
};

struct Point {
  double x = 0, y = 0;
};

enum class Anchor : uint8_t { start, middle, end };

// What a drawing is made of. Pixels; x to the right, y down.
struct Polyline {
  std::vector<Point> points;
  Paint paint;
  double width = 1;
  bool dashed = false;
};
struct Polygon {
  std::vector<Point> points;
  Paint paint;
};
struct Rectangle {
  double x = 0, y = 0, width = 0, height = 0;
  Paint paint;
};
struct Disc {
  Point center;
  double radius = 1;
  Paint paint;
};
struct Label {
  Point at;  // on the baseline
  std::string text;
  double size = 12;
  Anchor anchor = Anchor::start;
  Paint paint = {Ink::text};
  bool upward = false;  // reads from below
};
using Element = std::variant<Polyline, Polygon, Rectangle, Disc, Label>;

/// A picture of lines, areas and text. svg.h and raster.h show it.
struct Drawing {
  double width = 0;
  double height = 0;
  std::string title;  // what the picture is, for who can't see it
  std::vector<Element> elements;

  void add(Element element);
  void line(Point from, Point to, Paint paint, double line_width = 1);
};

}  // namespace burin::apps::charts
