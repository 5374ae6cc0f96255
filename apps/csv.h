#pragma once

#include <string>

namespace burin::apps {

/// RFC 4180: in quotes where it must be, with quotes doubled.
std::string csv_field(const std::string& text);

}  // namespace burin::apps
