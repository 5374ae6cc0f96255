#include "burin/data/encode.h"

#include <png.h>

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

// jpeglib.h uses size_t and FILE without including what declares them.
#include <jpeglib.h>

#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

struct ErrorManager : jpeg_error_mgr {
  std::jmp_buf jump;
  std::array<char, JMSG_LENGTH_MAX> message;
};

/// libjpeg would print and exit().
[[noreturn]] void jump_back(j_common_ptr info) {
  auto* errors = static_cast<ErrorManager*>(info->err);
  errors->format_message(info, errors->message.data());
  std::longjmp(errors->jump, 1);
}

/// Owns what libjpeg allocates, so that a jump leaks nothing.
struct JpegWriter {
  jpeg_compress_struct info{};
  ErrorManager errors{};
  unsigned char* buffer = nullptr;
  unsigned long size = 0;

  ~JpegWriter() {
    jpeg_destroy_compress(&info);
    std::free(buffer);
  }

  void write(const Image& image, int quality) {
    info.err = jpeg_std_error(&errors);
    errors.error_exit = jump_back;
    if (setjmp(errors.jump) != 0) fail("encode_jpeg: ", errors.message.data());
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &buffer, &size);
    info.image_width = static_cast<JDIMENSION>(image.width);
    info.image_height = static_cast<JDIMENSION>(image.height);
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
      // libjpeg takes a pointer to non-const and only reads.
      auto* row = const_cast<JSAMPLE*>(image.row(info.next_scanline));
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
  }
};

}  // namespace

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  check(quality >= 1 && quality <= 100, "encode_jpeg: quality ", quality, " is not in 1 … 100");
  JpegWriter writer;
  writer.write(image, quality);
  return {writer.buffer, writer.buffer + writer.size};
}

std::vector<uint8_t> encode_png(const Image& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::vector<uint8_t> bytes(size);
  const int written =
      png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr);
  check(written != 0, "encode_png: ", png.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace burin::data
