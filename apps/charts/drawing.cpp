#include "burin/apps/charts/drawing.h"

namespace burin::apps::charts {
namespace {

struct InkColors {
  const char* name;
  Rgb light, dark;
};
// The series colours keep a contrast of at least 3 : 1 with the ground (WCAG 2.1, 1.4.11), and
// differ in lightness, so that they can be told apart without colour.
constexpr InkColors colors[inks] = {
    {"background", {255, 255, 255}, {22, 25, 30}}, {"text", {28, 36, 48}, {230, 234, 240}},
    {"muted", {88, 100, 116}, {158, 168, 182}},    {"axis", {168, 178, 190}, {84, 94, 108}},
    {"grid", {229, 233, 238}, {42, 48, 56}},       {"blue", {37, 99, 206}, {106, 160, 255}},
    {"orange", {208, 104, 0}, {255, 170, 77}},     {"green", {24, 134, 84}, {76, 200, 142}},
    {"purple", {122, 72, 196}, {186, 150, 255}},   {"teal", {10, 128, 146}, {84, 206, 220}},
    {"red", {204, 50, 60}, {255, 122, 122}},
};

}  // namespace

void Drawing::add(Element element) {
  elements.push_back(std::move(element));
}

void Drawing::line(Point from, Point to, Paint paint, double line_width) {
  elements.emplace_back(Polyline{{from, to}, paint, line_width});
}

Ink series_ink(size_t i) {
  constexpr size_t first = static_cast<size_t>(Ink::blue);
  return static_cast<Ink>(first + i % (inks - first));
}

Rgb color_of(Ink ink, bool dark) {
  const InkColors& both = colors[static_cast<size_t>(ink)];
  return dark ? both.dark : both.light;
}

const char* name_of(Ink ink) {
  return colors[static_cast<size_t>(ink)].name;
}

}  // namespace burin::apps::charts
