#pragma once

#include <array>
#include <string>

#include "burin/models/gradcam.h"

namespace burin::apps {

/// The map as a picture to lay over the photo: clear where the model did not look, from yellow to
/// red where it did. A PNG with alpha as "data:image/png;base64,…", `side` pixels wide and high.
std::string heat_map_url(const models::GradCam& cam, int64_t side);

/// The part of an image of this size that the model sees, as left, top, width, height in its
/// pixels: the centre crop, before the resize. Sticks out of a small image that is padded.
std::array<double, 4> seen_part(const models::Preprocess& preprocess, int64_t width,
                                int64_t height);

}  // namespace burin::apps
