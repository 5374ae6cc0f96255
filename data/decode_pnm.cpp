#include <algorithm>
#include <cmath>

#include "burin/data/decoders.h"
#include "burin/kernels/base/error.h"

/// Binary PGM and PPM (netpbm's pages pgm(5) and ppm(5)): a header of text, then the samples as
/// they are. stb_image reads these too, but writes past its memory where a sample has two bytes.
namespace burin::data {
namespace {

/// The bytes of the header, one token after the other.
class Header {
 public:
  explicit Header(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  /// A number from 1 to `most`, with the white space and the comments before it.
  int64_t number(int64_t most) {
    const size_t before = position_;
    skip_space();
    require(position_ > before, Defect::corrupt, "corrupt PNM: no white space in its header");
    require(is_digit(at()), Defect::corrupt,
            "corrupt PNM: its header has no number where one must be");
    int64_t value = 0;
    for (; is_digit(at()); ++position_) {
      value = value * 10 + (at() - '0');
      require(value <= most, Defect::corrupt, "corrupt PNM: a number in its header is too large");
    }
    require(value >= 1, Defect::corrupt, "corrupt PNM: a number in its header is 0");
    return value;
  }

  /// What follows the one white space that ends the header.
  std::span<const uint8_t> samples() {
    while (at() == '#') skip_comment();
    require(is_space(at()), Defect::corrupt, "corrupt PNM: no white space ends its header");
    return bytes_.subspan(position_ + 1);
  }

 private:
  uint8_t at() const {
    require(position_ < bytes_.size(), Defect::truncated, "PNM is truncated within its header");
    return bytes_[position_];
  }

  static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
  static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  void skip_comment() {
    while (at() != '\n' && at() != '\r') ++position_;
  }

  void skip_space() {
    while (is_space(at()) || at() == '#') {
      if (at() == '#') {
        skip_comment();
      } else {
        ++position_;
      }
    }
  }

  std::span<const uint8_t> bytes_;
  size_t position_ = 2;  // after P5 or P6
};

/// What Pillow makes of a sample: round(value / maximum · 255), a half to the even one.
uint8_t to_byte(int64_t value, int64_t maximum) {
  const double scaled = static_cast<double>(value) / static_cast<double>(maximum) * 255;
  return static_cast<uint8_t>(std::nearbyint(std::min(scaled, 255.0)));
}

}  // namespace

Decoded decode_pnm(std::span<const uint8_t> bytes, const DecodeOptions& options) {
  Header header(bytes);
  const bool is_grey = bytes[1] == '5';
  constexpr int64_t longest = int64_t{1} << 31;
  const int64_t width = header.number(longest);
  const int64_t height = header.number(longest);
  const int64_t maximum = header.number(65535);
  check_size(width, height, options);

  const std::span<const uint8_t> samples = header.samples();
  const size_t channels = is_grey ? 1 : 3;
  const size_t sample_size = maximum > 255 ? 2 : 1;
  const size_t pixels = static_cast<size_t>(width * height);
  require(samples.size() >= pixels * channels * sample_size, Defect::truncated, "PNM is truncated");

  Decoded decoded;
  decoded.image = Image(width, height);
  const size_t copies = 3 / channels;  // of a grey sample
  for (size_t i = 0; i < pixels * channels; ++i) {
    const uint8_t* sample = samples.data() + i * sample_size;
    const int64_t value = sample_size == 2 ? sample[0] << 8 | sample[1] : sample[0];
    const uint8_t byte = maximum == 255 ? sample[0] : to_byte(value, maximum);
    std::fill_n(&decoded.image.pixels[i * copies], copies, byte);
  }
  decoded.source = {.format = ImageFormat::pnm,
                    .mode = is_grey ? "grey" : "rgb",
                    .bits = static_cast<int>(8 * sample_size)};
  return decoded;
}

}  // namespace burin::data
