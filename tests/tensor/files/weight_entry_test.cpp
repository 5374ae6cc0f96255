#include "burin/tensor/files/weight_entry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "burin/tensor/files/row_major.h"
#include "support/expect_error.h"

namespace burin {
namespace {

template <class T>
WeightEntry entry_of(const std::vector<T>& values, ElementType type) {
  WeightEntry entry;
  entry.name = "x";
  entry.type = type;
  entry.shape = {static_cast<int64_t>(values.size())};
  entry.strides = {1};
  entry.storage = std::as_bytes(std::span(values));
  return entry;
}

template <class To>
std::vector<To> read_as(const WeightEntry& entry, DType dtype) {
  std::vector<To> values(static_cast<size_t>(numel(entry.shape)));
  read_entry(entry, View::dense(values.data(), dtype, entry.shape));
  return values;
}

TEST(WeightEntry, ConvertsEveryTypeToFloat) {
  using Floats = std::vector<float>;
  const auto as_floats = [](const auto& values, ElementType type) {
    return read_as<float>(entry_of(values, type), DType::f32);
  };
  EXPECT_EQ(as_floats(std::vector<double>{0.1, -1e300}, ElementType::f64),
            (Floats{0.1f, -std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(as_floats(std::vector<uint16_t>{0x3c00, 0x0001, 0xfc00}, ElementType::f16),
            (Floats{1, 0x1p-24f, -std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(as_floats(std::vector<uint16_t>{0x3f80, 0xc040}, ElementType::bf16), (Floats{1, -3}));
  EXPECT_EQ(as_floats(std::vector<int64_t>{-3, 1 << 20}, ElementType::i64), (Floats{-3, 1048576}));
  EXPECT_EQ(as_floats(std::vector<int32_t>{-3}, ElementType::i32), Floats{-3});
  EXPECT_EQ(as_floats(std::vector<int16_t>{-3}, ElementType::i16), Floats{-3});
  EXPECT_EQ(as_floats(std::vector<int8_t>{-3}, ElementType::i8), Floats{-3});
  EXPECT_EQ(as_floats(std::vector<uint64_t>{1ull << 40}, ElementType::u64), Floats{0x1p40f});
  EXPECT_EQ(as_floats(std::vector<uint32_t>{1u << 31}, ElementType::u32), Floats{0x1p31f});
  EXPECT_EQ(as_floats(std::vector<uint16_t>{65535}, ElementType::u16), Floats{65535});
  EXPECT_EQ(as_floats(std::vector<uint8_t>{255}, ElementType::u8), Floats{255});
  EXPECT_EQ(as_floats(std::vector<uint8_t>{0, 1, 2}, ElementType::boolean), (Floats{0, 1, 1}));
  // Micikevicius et al., table 1: the largest and smallest numbers of both 8-bit formats.
  EXPECT_EQ(as_floats(std::vector<uint8_t>{0x7e, 0x08, 0x01, 0xb8}, ElementType::f8_e4m3),
            (Floats{448, 0x1p-6f, 0x1p-9f, -1}));
  EXPECT_EQ(as_floats(std::vector<uint8_t>{0x7b, 0x04, 0x01, 0xbc}, ElementType::f8_e5m2),
            (Floats{57344, 0x1p-14f, 0x1p-16f, -1}));
  EXPECT_TRUE(std::isnan(as_floats(std::vector<uint8_t>{0x7f}, ElementType::f8_e4m3)[0]));
}

TEST(WeightEntry, KeepsEveryBitOfTheSameType) {
  const std::vector<uint32_t> bits = {0x7fc12345, 0x80000000, 0x00000001};
  EXPECT_EQ(read_as<uint32_t>(entry_of(bits, ElementType::f32), DType::f32), bits);
}

TEST(WeightEntry, ConvertsToHalfBfloatAndIntegers) {
  const std::vector<float> values = {1.00390625f};  // 1 + 2^-8: between two numbers of bf16
  EXPECT_EQ(read_as<bfloat16>(entry_of(values, ElementType::f32), DType::bf16)[0].bits, 0x3f80);
  EXPECT_EQ(read_as<float16>(entry_of(values, ElementType::f32), DType::f16)[0].bits, 0x3c04);
  EXPECT_EQ(read_as<int64_t>(entry_of(std::vector<int16_t>{-9}, ElementType::i16), DType::i64)[0],
            -9);
  EXPECT_EQ(read_as<uint8_t>(entry_of(std::vector<uint8_t>{7}, ElementType::boolean), DType::u8)[0],
            1);
}

TEST(WeightEntry, RefusesWhatWouldLoseTheValue) {
  const std::vector<float> floats = {1};
  expect_error([&] { read_as<int64_t>(entry_of(floats, ElementType::f32), DType::i64); },
               "x: the file has f32, which can't be read as i64");
  const std::vector<int64_t> large = {int64_t{1} << 40};
  expect_error([&] { read_as<int32_t>(entry_of(large, ElementType::i64), DType::i32); },
               "x: 1099511627776 does not fit");
  const std::vector<int8_t> negative = {-1};
  expect_error([&] { read_as<uint8_t>(entry_of(negative, ElementType::i8), DType::u8); },
               "x: -1 does not fit");
  float one = 0;
  expect_error(
      [&] {
        read_entry(entry_of(floats, ElementType::f32), View::dense(&one, DType::f32, {1, 1}));
      },
      "x: the file has shape [1], wanted is [1, 1]");
}

TEST(WeightEntry, WalksStridesOnBothSides) {
  std::vector<float> stored(24);
  for (size_t i = 0; i < stored.size(); ++i) stored[i] = static_cast<float>(i);
  WeightEntry entry = entry_of(stored, ElementType::f32);
  entry.shape = {2, 3, 2, 2};  // stored as [2, 2, 2, 3]: nhwc
  entry.strides = dense_strides(entry.shape, Layout::nhwc);
  const std::vector<float> logical = read_as<float>(entry, DType::f32);
  for (int64_t n = 0; n < 2; ++n) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t hw = 0; hw < 4; ++hw) {
        EXPECT_EQ(logical[static_cast<size_t>((n * 3 + c) * 4 + hw)],
                  static_cast<float>((n * 4 + hw) * 3 + c));
      }
    }
  }
  std::vector<float> back(24);
  read_entry(entry, View::dense(back.data(), DType::f32, entry.shape, Layout::nhwc));
  EXPECT_EQ(back, stored);

  const ConstView nhwc = View::dense(stored.data(), DType::f32, entry.shape, Layout::nhwc);
  const RowMajor dense(nhwc);
  EXPECT_EQ(std::memcmp(dense.bytes().data(), logical.data(), dense.bytes().size()), 0);
}

// torch saves zeros(4, 0)[1:] so.
TEST(WeightListing, TakesAnEmptyTensorThatBeginsBehindItsStorage) {
  WeightEntry entry = entry_of(std::vector<float>(), ElementType::f32);
  entry.shape = {3, 0};
  entry.strides = {1, 1};
  entry.offset = 1;
  WeightListing listing;
  listing.add(entry, 0);
  float untouched = 7;
  read_entry(listing.entries().front(), View::dense(&untouched, DType::f32, {3, 0}));
  EXPECT_EQ(untouched, 7);
}

TEST(WeightListing, RefusesWhatReachesOutside) {
  const std::vector<float> stored(12);
  struct Case {
    Shape shape;
    Strides strides;
    int64_t offset;
    const char* message;
  };
  constexpr int64_t huge = int64_t{1} << 62;
  const Case cases[] = {
      {{13}, {1}, 0, "reaches outside its storage of 12 elements"},
      {{12}, {1}, 1, "reaches outside"},
      {{3, 4}, {4, 2}, 0, "reaches outside"},
      {{2}, {-1}, 4, "reaches outside"},
      {{2}, {1}, -1, "begins at element -1"},
      {{0}, {1}, -1, "begins at element -1"},
      {{1}, {1}, 13, "begins at element 13"},
      {{3}, {huge}, 0, "reaches outside"},
      {{2, 2, 2}, {huge, huge, huge}, 0, "reaches outside"},
      {{huge, 4}, {0, 0}, 0, "negative or too large"},
      {{-1}, {1}, 0, "negative or too large"},
      {{2, 2}, {1}, 0, "differ in rank"},
      {{huge}, {0}, 0, "bytes of memory"},
      {{100'000'000}, {0}, 0, "bytes of memory"},
  };
  for (const Case& one : cases) {
    WeightEntry entry = entry_of(stored, ElementType::f32);
    entry.shape = one.shape;
    entry.strides = one.strides;
    entry.offset = one.offset;
    expect_error([&] { WeightListing().add(entry, 48); }, one.message);
  }
  WeightListing listing;
  listing.add(entry_of(stored, ElementType::f32), 48);
  expect_error([&] { listing.add(entry_of(stored, ElementType::f32), 48); }, "x: is there twice");
}

}  // namespace
}  // namespace burin
