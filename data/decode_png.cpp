#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "burin/data/decoders.h"
#include "burin/data/exif.h"
#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

/// libpng with the bytes in memory. Its errors jump back to guarded(), which throws.
class PngReader {
 public:
  explicit PngReader(std::span<const uint8_t> bytes) : left_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    check(png_ != nullptr, "libpng: out of memory");
    info_ = png_create_info_struct(png_);
    png_set_read_fn(png_, this, on_read);
    // Profiles and comments are neither needed nor trusted: a few bytes may unpack to gigabytes.
    static constexpr png_byte ignored[] = "iCCP\0tEXt\0zTXt\0iTXt";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, ignored, 4);
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  png_structp png() { return png_; }
  png_infop info() { return info_; }
  int warnings() const { return warnings_; }

  /// Calls into libpng; its errors come out as Error. `call` must own nothing: a jump skips
  /// destructors.
  template <class Call>
  void guarded(const Call& call) {
    if (setjmp(jump_) != 0) {
      require(!truncated_, Defect::truncated, "PNG is truncated");
      throw DecodeError(Defect::corrupt, str("corrupt PNG: ", message_.data()));
    }
    call();
  }

 private:
  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(self->message_.data(), message, self->message_.size() - 1);
    std::longjmp(self->jump_, 1);
  }
  static void on_warning(png_structp png, png_const_charp) {
    ++static_cast<PngReader*>(png_get_error_ptr(png))->warnings_;
  }
  static void on_read(png_structp png, png_bytep to, size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->left_.size()) {
      self->truncated_ = true;
      png_error(png, "truncated");
    }
    std::memcpy(to, self->left_.data(), count);
    self->left_ = self->left_.subspan(count);
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::span<const uint8_t> left_;
  std::jmp_buf jump_;
  std::array<char, 200> message_{};
  int warnings_ = 0;
  bool truncated_ = false;
};

SourceInfo source_of(PngReader& reader) {
  png_structp png = reader.png();
  const int colour = png_get_color_type(png, reader.info());
  SourceInfo source{.format = ImageFormat::png};
  source.mode = (colour & PNG_COLOR_MASK_PALETTE) != 0 ? "palette"
                : (colour & PNG_COLOR_MASK_COLOR) != 0 ? "rgb"
                                                       : "grey";
  const bool transparent = png_get_valid(png, reader.info(), PNG_INFO_tRNS) != 0;
  if ((colour & PNG_COLOR_MASK_ALPHA) != 0 || transparent) source.mode += "+alpha";
  source.bits = png_get_bit_depth(png, reader.info());
  png_bytep exif = nullptr;
  png_uint_32 exif_bytes = 0;
  if (png_get_eXIf_1(png, reader.info(), &exif_bytes, &exif) != 0) {
    source.orientation = exif_orientation({exif, exif_bytes});
  }
  return source;
}

}  // namespace

Decoded decode_png(std::span<const uint8_t> bytes, const DecodeOptions& options) {
  PngReader reader(bytes);
  png_structp png = reader.png();
  png_infop info = reader.info();
  reader.guarded([&] { png_read_info(png, info); });
  const int64_t width = png_get_image_width(png, info);
  const int64_t height = png_get_image_height(png, info);
  check_size(width, height, options);

  Decoded decoded;
  decoded.source = source_of(reader);
  int passes = 0;
  const bool compose = options.background.has_value();
  reader.guarded([&] {
    png_set_expand(png);
    png_set_strip_16(png);  // the upper 8 bits
    if (compose) {
      png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    } else {
      png_set_strip_alpha(png);
    }
    png_set_gray_to_rgb(png);
    passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
  });
  const int64_t row_bytes = width * (compose ? 4 : 3);
  require(png_get_rowbytes(png, info) == static_cast<size_t>(row_bytes), Defect::corrupt,
          "corrupt PNG: rows of an unexpected length");
  decoded.image = Image(width, height);
  std::vector<uint8_t> rgba(compose ? static_cast<size_t>(row_bytes * height) : 0);
  uint8_t* const pixels = compose ? rgba.data() : decoded.image.row(0);
  // Rows only: what follows the last one (text, the end mark) may be missing, as in PIL.
  reader.guarded([&] {
    for (int pass = 0; pass < passes; ++pass) {
      for (int64_t y = 0; y < height; ++y) png_read_row(png, pixels + y * row_bytes, nullptr);
    }
  });
  if (compose) compose_rgba(rgba.data(), *options.background, decoded.image);
  decoded.source.warnings = reader.warnings();
  return decoded;
}

}  // namespace burin::data
