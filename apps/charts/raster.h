#pragma once

#include "burin/apps/charts/drawing.h"
#include "burin/data/image.h"

namespace burin::apps::charts {

/// Paints a drawing on light ground, antialiased by exact coverage; `scale` pixels of the image for
/// one of the drawing.
data::Image rasterised(const Drawing& drawing, double scale = 2);

/// Paints elements over an image that is there: captions of a contact sheet.
void paint(data::Image& image, const std::vector<Element>& elements, double scale = 1);

}  // namespace burin::apps::charts
