#pragma once

#include <string>
#include <vector>

#include "burin/apps/classifier.h"

namespace burin::apps {

/// The images that words of a command line stand for: a file is itself; a folder the images below
/// it, sorted, by extension; "-" stdin, either the bytes of one image or a list of paths, one a
/// line (or separated by NUL bytes, as from find -print0). Throws Failure (bad input) for a path
/// that does not exist or stands for no image.
std::vector<InputImage> find_images(const std::vector<std::string>& words);

}  // namespace burin::apps
