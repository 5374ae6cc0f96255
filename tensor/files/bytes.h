#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "burin/kernels/base/error.h"

namespace burin {

/// Bytes of a file, owned by someone else.
using Bytes = std::span<const std::byte>;

inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The T that lies at `place`, which need not be aligned. Every format here is little-endian.
template <class T>
T load(const std::byte* place) {
  static_assert(std::endian::native == std::endian::little, "weight files are little-endian");
  T value;
  std::memcpy(&value, place, sizeof(T));
  return value;
}

/// Reads from front to back and never past the end: throws Error that names the file's part.
class ByteReader {
 public:
  /// `what` names what is read in messages; it must outlive the reader.
  ByteReader(Bytes bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }
  std::string_view what() const { return what_; }

  Bytes take(uint64_t count) {
    check(count <= remaining(), what_, ": cut off: ", count, " bytes wanted at byte ", position_,
          ", ", remaining(), " left");
    const Bytes taken = bytes_.subspan(position_, static_cast<size_t>(count));
    position_ += static_cast<size_t>(count);
    return taken;
  }
  template <class T>
  T number() {
    return load<T>(take(sizeof(T)).data());
  }
  /// Text up to the next newline, which is consumed too.
  std::string_view line() {
    const std::string_view rest = as_text(bytes_.subspan(position_));
    const size_t end = rest.find('\n');
    check(end != std::string_view::npos, what_, ": cut off: no end of line after byte ", position_);
    position_ += end + 1;
    return rest.substr(0, end);
  }

 private:
  Bytes bytes_;
  std::string_view what_;
  size_t position_ = 0;
};

}  // namespace burin
