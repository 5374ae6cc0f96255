#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "burin/apps/charts/drawing.h"

namespace burin::apps::charts {

/// One character of the embedded font.
struct Glyph {
  char32_t code;
  int advance;       // 1/1000 em
  const char* path;  // outline in 1/1000 em, y up: M x y, L x y, Q x y x y, Z
};

/// Latin-1 and some punctuation of DejaVu Sans, sorted by code.
std::span<const Glyph> glyphs();

/// The code points of UTF-8; bytes that are none become U+FFFD.
std::vector<char32_t> code_points(std::string_view text);

/// How wide `text` stands in pixels, without kerning.
double text_width(std::string_view text, double size);

/// `text`, shortened with an ellipsis until it is at most `width` pixels wide.
std::string shortened(const std::string& text, double size, double width);

/// The outlines of `text` with its baseline beginning at (0, 0), y down, curves cut into lines.
std::vector<std::vector<Point>> text_outlines(std::string_view text, double size);

}  // namespace burin::apps::charts
