#include "burin/data/decode.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>
#include <thread>

#include "burin/data/exif.h"
#include "burin/data/file.h"
#include "data/noise.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/test_data.h"

namespace burin::data {
namespace {

using testing_support::noise;
using testing_support::source_folder;
using testing_support::TemporaryFolder;
using testing_support::test_data;
using testing_support::write_whole;

std::vector<uint8_t> bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

/// Small files of every format, made by tests/fuzz/make_decode_corpus.py.
std::vector<std::filesystem::path> samples() {
  std::vector<std::filesystem::path> files;
  const auto folder = source_folder() / "tests/fuzz/corpus/decode";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(Decode, ReadsEveryFormatByItsContent) {
  ASSERT_GE(samples().size(), 12u);
  for (const auto& path : samples()) {
    const Decoded decoded = decode_with_info(read_file(path), path.filename().string());
    EXPECT_EQ(format_of_extension(path.extension().string()), decoded.source.format) << path;
    EXPECT_EQ(decoded.image.width, 13) << path;
    EXPECT_EQ(decoded.image.height, 9) << path;
  }
}

// On black a pixel is a·x, on white a·x + (1 − a)·255: their difference is the same in all
// channels, and nothing where there is no alpha.
TEST(Decode, ComposesTransparentPixelsOnABackground) {
  int transparent = 0;
  for (const auto& path : samples()) {
    const std::vector<uint8_t> bytes = read_file(path);
    const Decoded dropped = decode_with_info(bytes, "sample");
    const Image black = decode(bytes, "sample", {.background = {{0, 0, 0}}});
    const Image white = decode(bytes, "sample", {.background = {{255, 255, 255}}});
    const bool has_alpha = dropped.source.mode.ends_with("+alpha");
    if (!has_alpha && !dropped.source.animated && dropped.source.format != ImageFormat::gif) {
      EXPECT_EQ(white, dropped.image) << path;
    }
    bool differs = false;
    for (size_t p = 0; p < white.pixels.size(); p += 3) {
      const int rest = white.pixels[p] - black.pixels[p];
      EXPECT_GE(rest, 0) << path;
      for (size_t c = 1; c < 3; ++c) {
        EXPECT_NEAR(white.pixels[p + c] - black.pixels[p + c], rest, 1) << path;
      }
      differs |= rest > 0;
    }
    if (has_alpha && differs) ++transparent;
  }
  EXPECT_GE(transparent, 2) << "a PNG and a WebP of the samples are";
}

TEST(Decode, RefusesInWords) {
  expect_error([] { decode({}, "a.jpg"); }, "a.jpg: the file is empty");
  expect_error([] { decode(bytes_of("hello, world"), "a.jpg"); },
               "a.jpg: not an image of a format we know");
  expect_error([] { decode(bytes_of("qoif........"), "a.qoi"); },
               "a.qoi: QOI is not supported (convert it to JPEG or PNG)");
  expect_error([] { load_image("/nowhere/a.jpg"); }, "/nowhere/a.jpg: no such file");
  expect_error([] { load_image("/dev/zero"); }, "/dev/zero: not a regular file");
  expect_error([] { load_image("/"); }, "/: not a regular file");
}

TEST(Decode, ChecksTheSizeBeforeItAllocates) {
  const auto png = read_file(source_folder() / "tests/fuzz/corpus/decode/rgb.png");
  std::vector<uint8_t> pgm = bytes_of("P5 60000 60000 255\n");
  expect_error([&] { decode(pgm, "a.pgm"); },
               "a.pgm: the header states 60000x60000 pixels, more than the limit of 50000000");
  expect_error([&] { decode(png, "a.png", {.max_pixels = 100}); }, "13x9 pixels");
}

TEST(Decode, AGifsRasterEndsWithItsPicture) {
  const auto file = source_folder() / "tests/fuzz/corpus/decode/refused/long_raster.gif";
  expect_error([&] { load_image(file); },
               "long_raster.gif: corrupt gif: its pixels go on after the last one");
}

// stb_image looks for the header's next line end also behind the end of the file.
TEST(Decode, AnHdrsHeaderEndsWithItsFile) {
  const auto file = source_folder() / "tests/fuzz/corpus/decode/refused/no_end_of_line.hdr";
  expect_error([&] { load_image(file); }, "no_end_of_line.hdr: ");
}

TEST(Decode, ATruncatedFileIsAnErrorInEveryFormat) {
  for (const auto& path : samples()) {
    const std::vector<uint8_t> whole = read_file(path);
    const Image image = decode(whole, "whole");
    for (size_t length = 0; length < whole.size(); ++length) {
      try {
        // Only what lies behind the pixels may be missing: an end mark, a footer.
        EXPECT_EQ(decode(std::span(whole).first(length), "cut"), image) << path << " " << length;
        EXPECT_GE(length + 64, whole.size()) << path;
      } catch (const Error&) {
        continue;
      }
    }
  }
}

TEST(Decode, AnyByteMayBeWrong) {
  for (const auto& path : samples()) {
    const std::vector<uint8_t> whole = read_file(path);
    std::mt19937 random(1);
    for (int round = 0; round < 400; ++round) {
      std::vector<uint8_t> bytes = whole;
      const int flips = 1 + static_cast<int>(random() % 8);
      for (int i = 0; i < flips; ++i) {
        bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1u << random() % 8);
      }
      try {
        const Image image =
            decode(bytes, "flipped", {.max_pixels = 1'000'000, .exif_orientation = true});
        EXPECT_EQ(image.pixels.size(), static_cast<size_t>(image.width * image.height * 3));
      } catch (const Error& error) {
        EXPECT_TRUE(std::string(error.what()).starts_with("flipped: ")) << error.what();
      }
    }
  }
}

std::vector<uint8_t> pixels_of_pnm(const std::string& header, const std::vector<uint8_t>& samples) {
  std::vector<uint8_t> bytes = bytes_of(header);
  bytes.insert(bytes.end(), samples.begin(), samples.end());
  return decode(bytes, "a.pnm").pixels;
}

// The numbers are those of Pillow 9.4's PpmDecoder, but for grey of 16 bits, which it clips.
TEST(Decode, ScalesAPnmByItsMaximum) {
  using Bytes = std::vector<uint8_t>;
  EXPECT_EQ(pixels_of_pnm("P5 2 1 255\n", {7, 255}), (Bytes{7, 7, 7, 255, 255, 255}));
  EXPECT_EQ(pixels_of_pnm("P6 2 1 100\n", {0, 1, 33, 50, 100, 101}),
            (Bytes{0, 3, 84, 128, 255, 255}));
  EXPECT_EQ(pixels_of_pnm("P6 1 1 65535\n", {0, 0, 0x80, 0, 0xff, 0xff}), (Bytes{0, 128, 255}));
  EXPECT_EQ(pixels_of_pnm("P5 1 1 999\n", {0x01, 0xf4}), (Bytes{128, 128, 128}));
}

TEST(Decode, ReadsThePnmHeaderAsNetpbmDoes) {
  const std::vector<uint8_t> black(3, 0);
  EXPECT_EQ(pixels_of_pnm("P5\t1\v1\f255\r", {0}), black);
  EXPECT_EQ(pixels_of_pnm("P5#a\r1#b\n 1 #255\r #\n255#c\n", {0}), black);
  EXPECT_EQ(pixels_of_pnm("P5 0001 1 00255 ", {0, 1, 2}), black);
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"P5 1 1 255", "PNM is truncated within its header"},
      {"P5 1 1 #255\n", "PNM is truncated within its header"},
      {"P51 1 255\n", "no white space in its header"},
      {"P5 1 -1 255\n", "no number where one must be"},
      {"P5 1 1 0\n", "a number in its header is 0"},
      {"P5 1 1 65536\n", "a number in its header is too large"},
      {"P5 " + std::string(40, '4') + " 8 255\n", "a number in its header is too large"},
      {"P5 1 1 255x", "no white space ends its header"},
      {"P6 1 1 256\n12345", "PNM is truncated"},
  };
  for (const auto& refusal : refused) {
    expect_error([&] { pixels_of_pnm(refusal.first, {}); }, refusal.second);
  }
}

// Rows are stored from the bottom, of indices that count down from the last colour.
TEST(Decode, ReadsTheWholePaletteOfOs2) {
  const Image image =
      decode(read_file(source_folder() / "tests/fuzz/corpus/decode/os2_8.bmp"), "os2_8.bmp");
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const int64_t index = 255 - (16 * (image.height - 1 - y) + x);
      const uint8_t* const pixel = image.row(y) + 3 * x;
      EXPECT_EQ(pixel[0], 7 * index % 256);
      EXPECT_EQ(pixel[1], 255 - index);
      EXPECT_EQ(pixel[2], index);
    }
  }
}

TEST(Decode, ExifTurnsThePictureUprightWhenAsked) {
  const auto folder = test_data("images-nasty/exif-orientation");
  if (!folder) GTEST_SKIP() << "no data/images-nasty/exif-orientation";
  // The eight files show the same picture, stored in eight ways, but for the digit printed on it
  // and the JPEG noise. The mean differences are what PIL's ImageOps.exif_transpose leaves.
  constexpr double expected[] = {0.353100, 0.680837, 0.661052, 2.150495,
                                 2.184097, 2.203341, 2.320141};
  const Image first = load_image(*folder + "/Portrait_1.jpg");
  for (int orientation = 2; orientation <= 8; ++orientation) {
    const std::string path = *folder + "/Portrait_" + std::to_string(orientation) + ".jpg";
    const Decoded stored = decode_with_info(read_file(path), path);
    EXPECT_EQ(stored.source.orientation, orientation);
    const Image upright = load_image(path, {.exif_orientation = true});
    ASSERT_EQ(upright.width, first.width);
    ASSERT_EQ(upright.height, first.height);
    double difference = 0;
    for (size_t i = 0; i < first.pixels.size(); ++i) {
      difference += std::abs(int{first.pixels[i]} - int{upright.pixels[i]});
    }
    EXPECT_NEAR(difference / static_cast<double>(first.pixels.size()), expected[orientation - 2],
                1e-6)
        << path;
  }
}

TEST(Exif, OrientationsAreTheGroupOfTheSquare) {
  const Image image = noise(5, 3);
  // Applying a mirror twice, or 6 (clockwise) and 8 (counter-clockwise) in turn, gives it back.
  for (const int mirror : {2, 3, 4, 5, 7}) {
    EXPECT_EQ(apply_orientation(apply_orientation(image, mirror), mirror), image) << mirror;
  }
  EXPECT_EQ(apply_orientation(apply_orientation(image, 6), 8), image);
  const Image clockwise = apply_orientation(image, 6);
  EXPECT_EQ(clockwise.width, 3);
  EXPECT_TRUE(
      std::equal(image.row(2), image.row(2) + 3, clockwise.row(0)));  // bottom left, top left
}

TEST(Exif, BrokenBlocksMeanUpright) {
  EXPECT_EQ(exif_orientation({}), 1);
  std::vector<uint8_t> block =
      bytes_of(std::string_view("MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0", 22));
  EXPECT_EQ(exif_orientation(block), 6);
  block[19] = 9;
  EXPECT_EQ(exif_orientation(block), 1);
  for (size_t length = 0; length < block.size(); ++length) {
    EXPECT_EQ(exif_orientation(std::span(block).first(length)), 1);
  }
}

TEST(ReadFile, RefusesWhatIsTooLarge) {
  const TemporaryFolder folder;
  write_whole(folder.file("a"), "12345");
  EXPECT_EQ(read_file(folder.file("a"), 5).size(), 5u);
  expect_error([&] { read_file(folder.file("a"), 4); }, "has 5 bytes, more than the limit of 4");
}

TEST(ReadFile, ReadsATextThatEnds) {
  const TemporaryFolder folder;
  write_whole(folder.file("a"), "12345");
  EXPECT_EQ(read_text(folder.file("a")), "12345");
  EXPECT_EQ(read_text_or_pipe(folder.file("a")), "12345");
  ASSERT_EQ(mkfifo(folder.file("pipe").c_str(), 0600), 0);
  expect_error([&] { read_text(folder.file("pipe")); }, "pipe: not a regular file");
  const std::jthread writer([&] { write_whole(folder.file("pipe"), "67"); });
  EXPECT_EQ(read_text_or_pipe(folder.file("pipe")), "67");
  expect_error([] { read_text_or_pipe("/dev/zero"); }, "/dev/zero: has more bytes than the limit");
  expect_error([] { read_text_or_pipe("/proc/self/mem"); }, "/proc/self/mem: can't be read");
  expect_error([] { read_text_or_pipe("/nowhere"); }, "/nowhere: can't be opened: No such file");
}

}  // namespace
}  // namespace burin::data
