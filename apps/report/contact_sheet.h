#pragma once

#include <string>
#include <vector>

#include "burin/apps/charts/drawing.h"
#include "burin/data/image.h"

namespace burin::apps {

struct Caption {
  std::string text;
  charts::Ink ink = charts::Ink::text;
};

/// One picture of a sheet and the lines below it.
struct Tile {
  data::Image image;
  std::vector<Caption> captions;
};

/// `image` fitted into a square of `side` pixels, as it is wide and high.
data::Image thumbnail(const data::Image& image, int64_t side);

/// Pictures in rows on white ground, each with its captions. `columns` 0: about as many as rows.
/// Throws Error if there are none.
data::Image contact_sheet(const std::vector<Tile>& tiles, int64_t side = 176, int64_t columns = 0);

}  // namespace burin::apps
