#include "burin/data/file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <system_error>

#include "burin/kernels/base/error.h"

namespace burin::data {

std::vector<uint8_t> read_file(const std::filesystem::path& path, int64_t max_bytes) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  const bool unknown = status.type() == std::filesystem::file_type::none;  // no right to look, say
  check(!unknown, path.string(), ": ", error.message());
  check(std::filesystem::exists(status), path.string(), ": no such file");
  check(std::filesystem::is_regular_file(status), path.string(), ": not a regular file");
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
  check(!error, path.string(), ": ", error.message());
  check(size <= max_bytes, path.string(), ": has ", size, " bytes, more than the limit of ",
        max_bytes);
  std::ifstream in(path, std::ios::binary);
  check(in.is_open(), path.string(), ": can't be opened: ", std::strerror(errno));
  std::vector<uint8_t> bytes;
  try {
    bytes.resize(static_cast<size_t>(size));
  } catch (const std::bad_alloc&) {
    throw OutOfMemory(str(path.string(), ": not enough memory to read its ", size, " bytes"));
  }
  in.read(reinterpret_cast<char*>(bytes.data()), size);
  check(in.gcount() == size, path.string(), ": read ", in.gcount(), " of ", size, " bytes");
  return bytes;
}

std::string read_text(const std::filesystem::path& path) {
  const std::vector<uint8_t> bytes = read_file(path, max_text_bytes);
  return {bytes.begin(), bytes.end()};
}

std::string read_text_or_pipe(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  check(in.is_open(), path.string(), ": can't be opened: ", std::strerror(errno));
  std::string text;
  for (std::vector<char> part(1 << 16); in.good();) {
    in.read(part.data(), static_cast<std::streamsize>(part.size()));
    text.append(part.data(), static_cast<size_t>(in.gcount()));
    check(static_cast<int64_t>(text.size()) <= max_text_bytes, path.string(),
          ": has more bytes than the limit of ", max_text_bytes);
  }
  check(!in.bad(), path.string(), ": can't be read");
  return text;
}

}  // namespace burin::data
