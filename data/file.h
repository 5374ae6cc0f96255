#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace burin::data {

/// All bytes of a regular file. Throws Error naming the file if it can't be read, is not a regular
/// file (a pipe would wait for ever) or is larger than `max_bytes`; OutOfMemory likewise.
std::vector<uint8_t> read_file(const std::filesystem::path& path,
                               int64_t max_bytes = int64_t{1} << 30);

constexpr int64_t max_text_bytes = int64_t{64} << 20;

/// read_file() as a text.
std::string read_text(const std::filesystem::path& path);

/// The same of whatever a user names: a pipe is waited for, as in `--config <(command)`.
std::string read_text_or_pipe(const std::filesystem::path& path);

}  // namespace burin::data
