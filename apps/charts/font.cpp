#include "burin/apps/charts/font.h"

#include <algorithm>
#include <sstream>

namespace burin::apps::charts {
namespace {

constexpr char32_t replacement = 0xFFFD;
// For what the font does not have: an empty box.
constexpr Glyph missing = {replacement, 600,
                           "M60 0L540 0L540 700L60 700ZM120 60L120 640L480 640L480 60Z"};

const Glyph& glyph_of(char32_t code) {
  const std::span<const Glyph> all = glyphs();
  const auto found = std::lower_bound(all.begin(), all.end(), code,
                                      [](const Glyph& g, char32_t c) { return g.code < c; });
  return found != all.end() && found->code == code ? *found : missing;
}

/// Appends the outlines of a glyph whose origin is at (x, 0).
void add_outlines(const Glyph& glyph, double x, double scale,
                  std::vector<std::vector<Point>>& outlines) {
  std::istringstream path(glyph.path);
  const auto read_point = [&] {
    double px = 0, py = 0;
    path >> px >> py;
    return Point{x + scale * px, -scale * py};
  };
  for (char step = 0; path >> step;) {
    if (step == 'M') outlines.push_back({read_point()});
    if (step == 'L') outlines.back().push_back(read_point());
    if (step != 'Q') continue;
    const Point from = outlines.back().back(), control = read_point(), to = read_point();
    constexpr int pieces = 6;
    for (int i = 1; i <= pieces; ++i) {
      const double t = static_cast<double>(i) / pieces, s = 1 - t;
      outlines.back().push_back({s * s * from.x + 2 * s * t * control.x + t * t * to.x,
                                 s * s * from.y + 2 * s * t * control.y + t * t * to.y});
    }
  }
}

}  // namespace

std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> codes;
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i++]);
    if (first < 0x80) {
      codes.push_back(first);
      continue;
    }
    const size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    char32_t code = first & (0x3Fu >> more);
    size_t read = 0;
    while (read < more && i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) {
      code = code << 6 | (static_cast<unsigned char>(text[i++]) & 0x3F);
      ++read;
    }
    codes.push_back(more == 0 || read < more ? replacement : code);
  }
  return codes;
}

double text_width(std::string_view text, double size) {
  int advance = 0;
  for (const char32_t code : code_points(text)) advance += glyph_of(code).advance;
  return advance * size / 1000;
}

std::string shortened(const std::string& text, double size, double width) {
  if (text_width(text, size) <= width) return text;
  std::string kept = text;
  while (!kept.empty() && text_width(kept + "…", size) > width) {
    do {
      kept.pop_back();
    } while (!kept.empty() && (static_cast<unsigned char>(kept.back()) & 0xC0) == 0x80);
    if (!kept.empty() && static_cast<unsigned char>(kept.back()) >= 0xC0) kept.pop_back();
  }
  return kept + "…";
}

std::vector<std::vector<Point>> text_outlines(std::string_view text, double size) {
  std::vector<std::vector<Point>> outlines;
  const double scale = size / 1000;
  double x = 0;
  for (const char32_t code : code_points(text)) {
    const Glyph& glyph = glyph_of(code);
    add_outlines(glyph, x, scale, outlines);
    x += glyph.advance * scale;
  }
  return outlines;
}

}  // namespace burin::apps::charts
