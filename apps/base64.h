#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace burin::apps {

/// RFC 4648, section 4.
std::string base64(const std::vector<uint8_t>& bytes);

}  // namespace burin::apps
