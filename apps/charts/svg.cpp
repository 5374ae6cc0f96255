#include "burin/apps/charts/svg.h"

#include <cstdio>

#include "burin/apps/charts/font.h"
#include "burin/kernels/base/error.h"

namespace burin::apps::charts {
namespace {

/// At most two decimals, none where there are none.
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", value);
  std::string kept = text;
  while (kept.back() == '0') kept.pop_back();
  if (kept.back() == '.') kept.pop_back();
  return kept == "-0" ? "0" : kept;
}

std::string points_of(const std::vector<Point>& points) {
  std::string text;
  for (const Point& p : points) text += str(text.empty() ? "" : " ", number(p.x), ',', number(p.y));
  return text;
}

/// class="fill-blue" and, where it is not 1, the opacity.
std::string filled(const Paint& paint) {
  std::string text = str(" class=\"f-", name_of(paint.ink), '"');
  if (paint.opacity < 1) text += str(" fill-opacity=\"", number(paint.opacity), '"');
  return text;
}

struct Writer {
  std::string& out;

  void operator()(const Polyline& line) const {
    out += str("<polyline class=\"s-", name_of(line.paint.ink), "\" points=\"",
               points_of(line.points), "\" stroke-width=\"", number(line.width), '"');
    if (line.paint.opacity < 1) out += str(" stroke-opacity=\"", number(line.paint.opacity), '"');
    if (line.dashed) out += " stroke-dasharray=\"5 4\"";
    out += "/>\n";
  }
  void operator()(const Polygon& polygon) const {
    out +=
        str("<polygon", filled(polygon.paint), " points=\"", points_of(polygon.points), "\"/>\n");
  }
  void operator()(const Rectangle& r) const {
    out += str("<rect", filled(r.paint), " x=\"", number(r.x), "\" y=\"", number(r.y),
               "\" width=\"", number(r.width), "\" height=\"", number(r.height), "\"/>\n");
  }
  void operator()(const Disc& disc) const {
    out += str("<circle", filled(disc.paint), " cx=\"", number(disc.center.x), "\" cy=\"",
               number(disc.center.y), "\" r=\"", number(disc.radius), "\"/>\n");
  }
  void operator()(const Label& label) const {
    static constexpr const char* anchors[] = {"start", "middle", "end"};
    out += str("<text", filled(label.paint), " font-size=\"", number(label.size),
               "\" text-anchor=\"", anchors[static_cast<size_t>(label.anchor)], '"');
    if (label.upward) {
      out += str(" transform=\"translate(", number(label.at.x), ' ', number(label.at.y),
                 ") rotate(-90)\"");
    } else {
      out += str(" x=\"", number(label.at.x), "\" y=\"", number(label.at.y), '"');
    }
    out += str('>', escaped(label.text), "</text>\n");
  }
};

std::string variables(bool dark) {
  std::string text;
  for (int i = 0; i < inks; ++i) {
    const Rgb c = color_of(static_cast<Ink>(i), dark);
    char hex[8];
    std::snprintf(hex, sizeof(hex), "#%02x%02x%02x", c.r, c.g, c.b);
    text += str("--", name_of(static_cast<Ink>(i)), ':', hex, ';');
  }
  return text;
}

std::string element(const Drawing& drawing, const std::string& attributes,
                    const std::string& before) {
  std::string out = str("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ",
                        number(drawing.width), ' ', number(drawing.height), '"', attributes,
                        " role=\"img\" aria-label=\"", escaped(drawing.title), "\">\n", before);
  for (const Element& e : drawing.elements) std::visit(Writer{out}, e);
  return out + "</svg>\n";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char32_t code : code_points(text)) {
    if (code == '&') {
      out += "&amp;";
    } else if (code == '<') {
      out += "&lt;";
    } else if (code == '>') {
      out += "&gt;";
    } else if (code == '"') {
      out += "&quot;";
    } else if (code < 0x20 && code != '\n' && code != '\t') {
      out += "&#xFFFD;";  // XML has no other control characters
    } else if (code < 0x80) {
      out += static_cast<char>(code);
    } else {
      char reference[16];
      std::snprintf(reference, sizeof(reference), "&#x%X;", static_cast<unsigned>(code));
      out += reference;
    }
  }
  return out;
}

std::string svg_style() {
  std::string style = str(":root{color-scheme:light dark;", variables(false),
                          "}\n@media (prefers-color-scheme:dark){:root{", variables(true),
                          "}}\n@media print{:root{color-scheme:light;", variables(false), "}}\n");
  for (int i = 0; i < inks; ++i) {
    const char* const name = name_of(static_cast<Ink>(i));
    style += str(".f-", name, "{fill:var(--", name, ")}.s-", name, "{stroke:var(--", name, ")}");
  }
  return style +
         "\nsvg polyline{fill:none;stroke-linejoin:round;stroke-linecap:round}\n"
         "svg text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu "
         "Sans',sans-serif}\n";
}

std::string svg_inline(const Drawing& drawing) {
  return element(drawing, str(" style=\"max-width:", number(drawing.width), "px;width:100%\""), "");
}

std::string svg_file(const Drawing& drawing) {
  std::string before = "<style>\n" + svg_style() + "</style>\n";
  Writer{before}(Rectangle{0, 0, drawing.width, drawing.height, {Ink::background}});
  return element(
      drawing, str(" width=\"", number(drawing.width), "\" height=\"", number(drawing.height), '"'),
      before);
}

}  // namespace burin::apps::charts
