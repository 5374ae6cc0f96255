#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdio>

// jpeglib.h uses size_t and FILE without including what declares them.
#include <jpeglib.h>

#include "burin/data/decoders.h"
#include "burin/data/exif.h"
#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

/// Scans of a progressive file; a real one has about ten. Each costs a walk over the whole image,
/// so a small file with thousands would keep us for minutes.
constexpr int max_scans = 100;

struct ErrorManager : jpeg_error_mgr {
  std::jmp_buf jump;
  std::array<char, JMSG_LENGTH_MAX> message;
};

/// libjpeg would print and exit(); instead the message is kept and we jump back to guarded().
[[noreturn]] void jump_back(j_common_ptr info) {
  auto* errors = static_cast<ErrorManager*>(info->err);
  errors->format_message(info, errors->message.data());
  std::longjmp(errors->jump, 1);
}

void count_warning(j_common_ptr info, int level) {
  if (level < 0) ++info->err->num_warnings;
}

void limit_scans(j_common_ptr info) {
  auto* errors = static_cast<ErrorManager*>(info->err);
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > max_scans) {
    std::snprintf(errors->message.data(), errors->message.size(), "more than %d scans", max_scans);
    std::longjmp(errors->jump, 1);
  }
}

// The source: all bytes at once. When they are used up the library is told to suspend, so that what
// is missing is seen, as in PIL; libjpeg's own memory source would paint it grey with a warning.
void source_init(j_decompress_ptr) {}
void source_terminate(j_decompress_ptr) {}
boolean source_suspend(j_decompress_ptr) {
  return FALSE;
}
void source_skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  const size_t step = std::min(static_cast<size_t>(count), info->src->bytes_in_buffer);
  info->src->next_input_byte += step;
  info->src->bytes_in_buffer -= step;
}

class JpegReader {
 public:
  explicit JpegReader(std::span<const uint8_t> bytes) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = jump_back;
    errors_.emit_message = count_warning;
    guarded([&] { jpeg_create_decompress(&info_); });
    progress_.progress_monitor = limit_scans;
    info_.progress = &progress_;
    source_.next_input_byte = bytes.data();
    source_.bytes_in_buffer = bytes.size();
    source_.init_source = source_init;
    source_.fill_input_buffer = source_suspend;
    source_.skip_input_data = source_skip;
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.term_source = source_terminate;
    info_.src = &source_;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  jpeg_decompress_struct& info() { return info_; }
  int warnings() const { return static_cast<int>(errors_.num_warnings); }

  /// Calls into libjpeg; its errors come out as Error. `call` must own nothing: a jump skips
  /// destructors.
  template <class Call>
  void guarded(const Call& call) {
    if (setjmp(errors_.jump) != 0) {
      throw DecodeError(Defect::corrupt, str("corrupt JPEG: ", errors_.message.data()));
    }
    call();
  }

 private:
  jpeg_decompress_struct info_{};
  ErrorManager errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
};

/// Reads the rows that are left, two at a time, as the library likes to hand them out.
void read_rows(JpegReader& reader, uint8_t* first_row, int64_t row_bytes) {
  jpeg_decompress_struct& info = reader.info();
  bool truncated = false;
  reader.guarded([&] {
    while (!truncated && info.output_scanline < info.output_height) {
      const int64_t y = info.output_scanline;
      JSAMPROW rows[2] = {first_row + y * row_bytes, first_row + (y + 1) * row_bytes};
      const JDIMENSION left = info.output_height - info.output_scanline;
      truncated = jpeg_read_scanlines(&info, rows, std::min<JDIMENSION>(left, 2)) == 0;
    }
  });
  require(!truncated, Defect::truncated, "JPEG is truncated: ", info.output_scanline, " of ",
          info.output_height, " rows are there");
}

/// a · b / 255, rounded, as Pillow's MULDIV255.
uint8_t multiply_255(int a, int b) {
  const int product = a * b + 128;
  return static_cast<uint8_t>(((product >> 8) + product) >> 8);
}

/// CMYK as Pillow understands it: stored inverted, as Adobe does, whoever wrote the file.
void rgb_from_inverted_cmyk(const std::vector<uint8_t>& cmyk, Image& image) {
  const size_t pixels = cmyk.size() / 4;
  for (size_t i = 0; i < pixels; ++i) {
    const int not_black = cmyk[4 * i + 3];
    for (size_t c = 0; c < 3; ++c) {
      const int ink = 255 - cmyk[4 * i + c];
      image.pixels[3 * i + c] = static_cast<uint8_t>(not_black - multiply_255(ink, not_black));
    }
  }
}

int orientation_of(const jpeg_decompress_struct& info) {
  for (auto* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::span<const uint8_t> block(marker->data, marker->data_length);
    if (block.size() > 6 && block[0] == 'E' && block[1] == 'x') return exif_orientation(block);
  }
  return 1;
}

}  // namespace

Decoded decode_jpeg(std::span<const uint8_t> bytes, const DecodeOptions& options) {
  JpegReader reader(bytes);
  jpeg_decompress_struct& info = reader.info();
  int status = JPEG_SUSPENDED;
  reader.guarded([&] {
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);  // EXIF
    status = jpeg_read_header(&info, TRUE);
  });
  require(status == JPEG_HEADER_OK, Defect::truncated, "JPEG is truncated within its header");
  check_size(info.image_width, info.image_height, options);
  const int components = info.num_components;
  require(components == 1 || components == 3 || components == 4, Defect::unsupported, "JPEG with ",
          components, " components is not supported");
  info.out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;

  bool started = false;
  reader.guarded([&] { started = jpeg_start_decompress(&info) == TRUE; });
  require(started, Defect::truncated, "JPEG is truncated: it ends before its last scan");

  Decoded decoded;
  decoded.image = Image(info.output_width, info.output_height);
  if (components == 4) {
    std::vector<uint8_t> cmyk(static_cast<size_t>(info.output_width) * info.output_height * 4);
    read_rows(reader, cmyk.data(), int64_t{info.output_width} * 4);
    rgb_from_inverted_cmyk(cmyk, decoded.image);
  } else {
    read_rows(reader, decoded.image.pixels.data(), decoded.image.row_bytes());
  }
  decoded.source = {.format = ImageFormat::jpeg,
                    .mode = components == 1 ? "grey" : (components == 3 ? "rgb" : "cmyk"),
                    .orientation = orientation_of(info),
                    .warnings = reader.warnings()};
  return decoded;
}

}  // namespace burin::data
