#pragma once

#include <string>
#include <string_view>

#include "burin/apps/charts/drawing.h"

namespace burin::apps::charts {

/// `text` for HTML and SVG: markup escaped, what is no UTF-8 replaced.
std::string escaped(std::string_view text);

/// Colours as CSS variables --blue …, for light and dark ground, and the classes that svg_inline
/// uses. Once per page.
std::string svg_style();

/// <svg>…</svg> for a page that has svg_style(); grows and shrinks with its place.
std::string svg_inline(const Drawing& drawing);

/// A file of its own.
std::string svg_file(const Drawing& drawing);

}  // namespace burin::apps::charts
