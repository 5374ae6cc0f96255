#include <algorithm>
#include <array>
#include <optional>

#include "burin/data/decoders.h"

namespace burin::data {
namespace {

constexpr int most_root_bits = 12;
constexpr size_t most_codes = 8192;       // of stb_image's table
constexpr int64_t most_behind = 1 << 20;  // pixels that may follow the picture's last

/// The bytes of a file, zeros behind its end.
class Bytes {
 public:
  explicit Bytes(std::span<const uint8_t> bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }
  int get8() {
    if (rest_.empty()) return 0;
    const int byte = rest_[0];
    rest_ = rest_.subspan(1);
    return byte;
  }
  int get16() {
    const int low = get8();
    return low | get8() << 8;
  }
  void skip(int count) {
    rest_ = rest_.subspan(std::min(rest_.size(), static_cast<size_t>(count)));
  }

 private:
  std::span<const uint8_t> rest_;
};

void skip_blocks(Bytes& bytes) {
  for (int length = bytes.get8(); length > 0; length = bytes.get8()) bytes.skip(length);
}

/// Up to the raster of the first picture; false if there is none.
bool find_raster(Bytes& bytes) {
  while (!bytes.at_end()) {
    const int tag = bytes.get8();
    if (tag == 0x2c) {
      bytes.skip(8);
      const int flags = bytes.get8();
      if ((flags & 0x80) != 0) bytes.skip(3 * (2 << (flags & 7)));
      return true;
    }
    if (tag != 0x21) return false;
    const int kind = bytes.get8();
    if (kind != 0xf9) {
      skip_blocks(bytes);
      continue;
    }
    // A graphic control of another size than four is one block to stb_image, whatever follows.
    const int length = bytes.get8();
    bytes.skip(length);
    if (length == 4) skip_blocks(bytes);
  }
  return false;
}

/// How many pixels each code of a raster stands for, as they come; nothing is drawn.
class Codes {
 public:
  explicit Codes(Bytes bytes, int root_bits) : bytes_(bytes), root_bits_(root_bits) {
    std::fill_n(lengths_.begin(), clear_, 1);
    restart();
  }

  /// The pixels of the next code; nullopt at the end, and where stb_image refuses the rest.
  std::optional<int64_t> next() {
    std::optional<size_t> code = read();
    for (; code == clear_; code = read()) {
      restart();
      began_ = true;
    }
    if (!code || !began_ || *code == clear_ + 1 || *code > known_) return std::nullopt;
    if (previous_) {
      if (known_ + 1 > most_codes) return std::nullopt;
      lengths_[known_++] = lengths_[*previous_] + 1;
    } else if (*code == known_) {
      return std::nullopt;
    }
    if ((known_ & ((1u << size_) - 1)) == 0 && known_ < 4096) ++size_;
    previous_ = code;
    return lengths_[*code];
  }

 private:
  void restart() {
    size_ = root_bits_ + 1;
    known_ = clear_ + 2;
    previous_ = std::nullopt;
  }

  std::optional<size_t> read() {
    for (; held_ < size_; held_ += 8) {
      if (block_ == 0) block_ = bytes_.get8();
      if (block_ == 0) return std::nullopt;
      --block_;
      bits_ |= static_cast<unsigned>(bytes_.get8()) << held_;
    }
    const size_t code = bits_ & ((1u << size_) - 1);
    bits_ >>= size_;
    held_ -= size_;
    return code;
  }

  Bytes bytes_;
  int root_bits_;
  size_t clear_ = size_t{1} << root_bits_;
  std::array<int64_t, most_codes> lengths_{};
  bool began_ = false;  // by a clear code
  int size_ = 0;        // bits of a code
  size_t known_ = 0;    // codes
  std::optional<size_t> previous_;
  int block_ = 0;  // bytes left of the block
  unsigned bits_ = 0;
  int held_ = 0;  // of bits
};

}  // namespace

void check_gif_raster(std::span<const uint8_t> file, int64_t pixels) {
  Bytes bytes(file);
  bytes.skip(10);
  const int flags = bytes.get8();
  bytes.skip(2);
  if ((flags & 0x80) != 0) bytes.skip(3 * (2 << (flags & 7)));
  if (!find_raster(bytes)) return;
  const int root_bits = bytes.get8();
  if (root_bits > most_root_bits) return;
  Codes codes(bytes, root_bits);
  int64_t left = pixels + most_behind;
  for (auto length = codes.next(); length; length = codes.next()) {
    left -= *length;
    require(left >= 0, Defect::corrupt, "corrupt gif: its pixels go on after the last one");
  }
}

}  // namespace burin::data
