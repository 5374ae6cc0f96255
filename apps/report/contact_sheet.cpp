#include "burin/apps/report/contact_sheet.h"

#include <algorithm>
#include <cmath>

#include "burin/apps/charts/font.h"
#include "burin/apps/charts/raster.h"
#include "burin/data/resize.h"
#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

void copy_pixels(const data::Image& from, data::Image& to, int64_t left, int64_t top) {
  for (int64_t y = 0; y < from.height; ++y) {
    std::copy_n(from.row(y), from.row_bytes(), to.row(top + y) + 3 * left);
  }
}

}  // namespace

data::Image thumbnail(const data::Image& image, int64_t side) {
  const double scale =
      static_cast<double>(side) / static_cast<double>(std::max(image.width, image.height));
  const auto scaled = [&](int64_t extent) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(extent) * scale));
  };
  return data::resize(image, scaled(image.width), scaled(image.height), data::Filter::bilinear);
}

data::Image contact_sheet(const std::vector<Tile>& tiles, int64_t side, int64_t columns) {
  check(!tiles.empty(), "contact_sheet: there is no image");
  constexpr int64_t gap = 14, line = 17;
  constexpr double text_size = 12.5;
  const auto N = static_cast<int64_t>(tiles.size());
  if (columns == 0) columns = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(N))));
  columns = std::min(columns, N);
  size_t most_lines = 0;
  for (const Tile& tile : tiles) most_lines = std::max(most_lines, tile.captions.size());
  const int64_t tile_height = side + static_cast<int64_t>(most_lines) * line + gap;
  const int64_t rows = (N + columns - 1) / columns;
  data::Image sheet(gap + columns * (side + gap), gap + rows * tile_height);
  std::fill(sheet.pixels.begin(), sheet.pixels.end(), uint8_t{255});

  std::vector<charts::Element> labels;
  for (int64_t i = 0; i < N; ++i) {
    const Tile& tile = tiles[static_cast<size_t>(i)];
    const int64_t left = gap + i % columns * (side + gap), top = gap + i / columns * tile_height;
    const data::Image small = thumbnail(tile.image, side);
    copy_pixels(small, sheet, left + (side - small.width) / 2, top + (side - small.height) / 2);
    for (size_t k = 0; k < tile.captions.size(); ++k) {
      const Caption& caption = tile.captions[k];
      labels.push_back(
          charts::Label{{static_cast<double>(left),
                         static_cast<double>(top + side + line * static_cast<int64_t>(k + 1) - 2)},
                        charts::shortened(caption.text, text_size, static_cast<double>(side)),
                        text_size,
                        charts::Anchor::start,
                        {caption.ink}});
    }
  }
  charts::paint(sheet, labels);
  return sheet;
}

}  // namespace burin::apps
