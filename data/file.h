#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace burin::data {

/// All bytes of a regular file. Throws Error naming the file if it can't be read, is not a regular
/// file (a pipe would wait for ever) or is larger than `max_bytes`.
std::vector<uint8_t> read_file(const std::filesystem::path& path,
                               int64_t max_bytes = int64_t{1} << 30);

}  // namespace burin::data
