#include "burin/tensor/files/safetensors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "burin/tensor/files/weight_file.h"
#include "support/expect_error.h"
#include "support/read_everything.h"
#include "support/temporary_folder.h"
#include "support/weight_listing.h"

namespace burin {
namespace {

using testing_support::golden;
using testing_support::listing_lines;
using testing_support::python_lines;
using testing_support::read_everything;
using testing_support::TemporaryFolder;
using testing_support::test_data;

std::string file_of(const std::string& header, size_t data_bytes) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header +
         std::string(data_bytes, '\x01');
}

TEST(Safetensors, ReadsNamesShapesAndMetadata) {
  const std::string file =
      file_of(R"({"b":{"dtype":"I64","shape":[],"data_offsets":[12,20]},)"
              R"("__metadata__":{"arch":"toy","übung":"ja"},)"
              R"("a":{"data_offsets":[0,12],"shape":[2,3],"dtype":"BF16"},)"
              R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[12,12]}}   )",
              20);
  const WeightListing listing = read_safetensors(as_bytes(file));
  ASSERT_EQ(listing.entries().size(), 3u);
  EXPECT_EQ(listing.entries()[0].name, "b");
  EXPECT_EQ(listing.entries()[0].shape, Shape{});
  EXPECT_EQ(listing.entries()[1].name, "a");
  EXPECT_EQ(listing.entries()[1].type, ElementType::bf16);
  EXPECT_EQ(listing.entries()[1].shape, (Shape{2, 3}));
  EXPECT_EQ(listing.entries()[2].shape, (Shape{0, 7}));
  EXPECT_EQ(listing.metadata, (Metadata{{"arch", "toy"}, {"übung", "ja"}}));
  int64_t scalar = 0;
  read_entry(listing.entries()[0], View::dense(&scalar, DType::i64, {}));
  EXPECT_EQ(scalar, 0x0101010101010101);
}

// 640 is 0x280: its first two bytes are those of a pickle of protocol 2.
TEST(Safetensors, IsToldFromAPickleWhateverTheHeadersLength) {
  std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  for (size_t length = 64; length <= 2048; length += 8) {
    header.resize(length, ' ');
    const std::string file = file_of(header, 1);
    EXPECT_EQ(read_weight_file(as_bytes(file)).format, "safetensors") << length;
  }
}

TEST(Safetensors, ReadsWhatAnIndependentReaderReads) {
  const auto golden = test_data("golden");
  const auto weights = test_data("weights");
  if (!golden || !weights) GTEST_SKIP() << "the test data are not here";
  int files = 0;
  for (const std::string& folder : {*golden, *weights}) {
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (file.path().extension() != ".safetensors") continue;
      const auto expected = python_lines("safetensors", file.path().string());
      if (!expected) GTEST_SKIP() << "there is no /usr/bin/python3";
      const WeightFile opened(file.path().string());
      EXPECT_EQ(opened.format(), "safetensors");
      EXPECT_EQ(listing_lines(opened.entries()), *expected) << file.path();
      ++files;
    }
  }
  EXPECT_GE(files, 6);
}

struct BrokenRule {
  const char* header;
  size_t data_bytes;
  const char* message;
};

const BrokenRule broken_rules[] = {
    {R"( {})", 0, "does not begin with '{'"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})", 4, "not JSON"},
    {R"({} x)", 0, "not JSON"},
    {R"([])", 0, "does not begin with '{'"},
    {R"({"a":1})", 0, "a number where none belongs"},
    {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "needs dtype, shape and data_offsets"},
    {R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4, "has dtype F31"},
    {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "negative number -1"},
    {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "the number 1.0"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":[1]}})", 4, "unknown field 'x'"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}})", 4, "a begin and an end"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "lie outside"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 4, "lie outside"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "does not take the 4 bytes"},
    {R"({"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}})", 4, "shape twice"},
    {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0,
     "too large"},
    {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0,
     "does not take the 0 bytes"},
    {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0]}})", 0,
     "too large"},
    {R"({"a":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}})", 0,
     "too large"},
    {R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4,
     "more than 8 dimensions"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
     R"("a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
     8, "is there twice"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
     R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
     6, "a gap or an overlap"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
     R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
     12, "a gap or an overlap"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "cover 4 of 5 bytes"},
    {R"({"__metadata__":{"a":1}})", 0, "a number where none belongs"},
    {R"({"__metadata__":{"a":"b","a":"c"}})", 0, "has 'a' twice"},
    {R"({"__metadata__":{},"__metadata__":{}})", 0, "__metadata__ is there twice"},
    {"{\"\xff\":{}}", 0, "not JSON"},
};

TEST(Safetensors, RefusesEveryBrokenRule) {
  for (const BrokenRule& rule : broken_rules) {
    SCOPED_TRACE(rule.header);
    const std::string file = file_of(rule.header, rule.data_bytes);
    expect_error([&] { read_safetensors(as_bytes(file)); }, rule.message);
  }
}

TEST(Safetensors, RefusesHeadersThatAreTooLong) {
  std::string file = file_of("{}", 0);
  file[7] = '\x7f';
  expect_error([&] { read_safetensors(as_bytes(file)); }, "more than the format allows");
  file = file_of("{}", 0);
  file[0] = 100;
  expect_error([&] { read_safetensors(as_bytes(file)); }, "cut off");
}

TEST(Safetensors, RefusesDeepNestingAtOnce) {
  const std::string file = file_of("{\"a\":" + std::string(1'000'000, '['), 0);
  expect_error([&] { read_safetensors(as_bytes(file)); }, "a list where none belongs");
}

TEST(Safetensors, SurvivesCutsAndFlips) {
  std::string file = file_of(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"x":"y"}})", 8);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_THROW(read_weight_file(as_bytes(std::string_view(file).substr(0, size))), Error) << size;
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string flipped = file;
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips) {
      flipped[random() % flipped.size()] = static_cast<char>(random());
    }
    read_everything(read_safetensors, as_bytes(flipped));
  }
}

TEST(Safetensors, WritesWhatAnIndependentReaderReads) {
  const TemporaryFolder folder;
  std::vector<float> image(2 * 3 * 2 * 2);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i) - 7.5f;
  const int64_t counter = -5;
  const std::vector<bfloat16> halves = {bfloat16(1.5f), bfloat16(-2.0f), bfloat16(0.0f)};
  const NamedView tensors[] = {
      {"bf16 \"quoted\"", View::dense(const_cast<bfloat16*>(halves.data()), DType::bf16, {3})},
      {"conv.weight", View::dense(image.data(), DType::f32, {2, 3, 2, 2}, Layout::nhwc)},
      {"num_batches_tracked", View::dense(const_cast<int64_t*>(&counter), DType::i64, {})},
      {"empty", View::dense(image.data(), DType::f32, {0, 4})},
  };
  write_safetensors(folder.file("a.safetensors"), tensors, {{"classes", "ai\nreal"}});

  const WeightFile file(folder.file("a.safetensors"));
  EXPECT_EQ(file.metadata(), (Metadata{{"classes", "ai\nreal"}}));
  ASSERT_EQ(file.entries().size(), 4u);
  EXPECT_EQ(file.entries()[0].name, "bf16 \"quoted\"");
  // The eight-byte type comes first in the data, so that everything is aligned.
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.entries()[2].storage.data()) % 8, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.entries()[1].storage.data()) % 4, 0u);
  std::vector<float> back(image.size());
  file.read(*file.find("conv.weight"),
            View::dense(back.data(), DType::f32, {2, 3, 2, 2}, Layout::nhwc));
  EXPECT_EQ(back, image);
  file.read(*file.find("conv.weight"), DType::f32, back.data());
  EXPECT_EQ(back[1], image[3]);  // logical order: the next w is three channels on in memory

  const auto lines = python_lines("safetensors", folder.file("a.safetensors"));
  if (!lines) GTEST_SKIP() << "there is no /usr/bin/python3";
  EXPECT_EQ(listing_lines(file.entries()), *lines);
}

TEST(Safetensors, RefusesToWriteWhatNoOneCouldRead) {
  const TemporaryFolder folder;
  float value = 1;
  const View view = View::dense(&value, DType::f32, {1});
  const NamedView twice[] = {{"a", view}, {"a", view}};
  expect_error([&] { write_safetensors(folder.file("x"), twice, {}); },
               "two tensors are called 'a'");
  const NamedView reserved[] = {{"__metadata__", view}};
  expect_error([&] { write_safetensors(folder.file("x"), reserved, {}); }, "__metadata__");
  const NamedView binary[] = {{"\xff", view}};
  expect_error([&] { write_safetensors(folder.file("x"), binary, {}); }, "not UTF-8");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace burin
