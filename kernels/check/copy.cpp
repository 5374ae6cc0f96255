#include "burin/kernels/copy.h"

#include <cmath>
#include <limits>

#include "burin/kernels/base/random.h"
#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

/// The definition: the value, rounded where y's dtype is coarser (the tolerance allows exactly
/// that), truncated and saturated where y holds integers.
double copied(double x, DType to) {
  if (is_floating(to)) return overflowed(x, to);
  if (std::isnan(x)) return 0;
  const double highest = to == DType::u8 ? 255 : to == DType::i32 ? 0x7fffffff : 0x1p63;
  const double lowest = to == DType::u8 ? 0 : to == DType::i32 ? -0x1p31 : -0x1p63;
  return std::min(std::max(std::trunc(x), lowest), highest);
}

struct CopyCase {
  const char* why;
  Shape shape;
  Strides x_strides;
  Strides y_strides;
  bool large = false;
};

/// Strides of a dense tensor whose dimensions lie in memory in `order`, outermost first.
Strides permuted(const Shape& shape, std::initializer_list<int> order) {
  Strides strides = Strides::filled(shape.rank(), 0);
  int64_t stride = 1;
  for (auto i = std::rbegin(order); i != std::rend(order); ++i) {
    strides[*i] = stride;
    stride *= shape[*i];
  }
  return strides;
}

const Shape image = {2, 5, 7, 3};
const Shape tiled = {2, 67, 9, 11};  // 67 and 99 are no multiples of a tile
const Shape stage1 = {16, 64, 56, 56};
const Shape stem = {16, 3, 224, 224};
const Shape filter = {64, 64, 3, 3};

const CopyCase cases[] = {
    {"one element", {1}, {1}, {1}},
    {"a scalar", {}, {}, {}},
    {"nothing to do", {2, 0, 3}, {3, 3, 1}, {3, 3, 1}},
    {"a tail after every vector width", {67}, {1}, {1}},
    {"enough for two threads", {40'003}, {1}, {1}},
    {"nhwc to nhwc", image, permuted(image, {0, 2, 3, 1}), permuted(image, {0, 2, 3, 1})},
    {"nchw to nhwc", image, permuted(image, {0, 1, 2, 3}), permuted(image, {0, 2, 3, 1})},
    {"nhwc to nchw", image, permuted(image, {0, 2, 3, 1}), permuted(image, {0, 1, 2, 3})},
    {"nchw to nhwc, tiles cut short", tiled, permuted(tiled, {0, 1, 2, 3}),
     permuted(tiled, {0, 2, 3, 1})},
    {"nhwc to nchw, tiles cut short", tiled, permuted(tiled, {0, 2, 3, 1}),
     permuted(tiled, {0, 1, 2, 3})},
    {"all dimensions reversed", tiled, permuted(tiled, {3, 2, 1, 0}),
     permuted(tiled, {0, 1, 2, 3})},
    {"a matrix transposed", {35, 70}, {1, 35}, {70, 1}},
    {"a broadcast row", {5, 33}, {0, 1}, {33, 1}},
    {"a broadcast column", {5, 33}, {1, 0}, {33, 1}},
    {"one value everywhere", {3, 5, 7}, {0, 0, 0}, {35, 7, 1}},
    {"every second element of x", {9, 17}, {34, 2}, {17, 1}},
    {"into every third element of y", {9, 17}, {17, 1}, {51, 3}},
    {"rows with gaps on both sides", {6, 19}, {23, 1}, {21, 1}},
    {"strides of extents of 1 mean nothing", {1, 12, 1}, {5, 1, 77}, {0, 1, -3}},
    {"rank 8",
     {2, 1, 3, 2, 1, 2, 3, 2},
     {72, 72, 24, 12, 12, 6, 2, 1},
     {1, 1, 2, 6, 12, 12, 24, 72}},
    {"stage 1 from nchw to nhwc", stage1, permuted(stage1, {0, 1, 2, 3}),
     permuted(stage1, {0, 2, 3, 1}), true},
    {"stage 1 from nhwc to nchw", stage1, permuted(stage1, {0, 2, 3, 1}),
     permuted(stage1, {0, 1, 2, 3}), true},
    {"stage 1 as it lies", stage1, permuted(stage1, {0, 1, 2, 3}), permuted(stage1, {0, 1, 2, 3}),
     true},
    {"images from nchw to nhwc", stem, permuted(stem, {0, 1, 2, 3}), permuted(stem, {0, 2, 3, 1}),
     true},
    {"a filter from KCRS to KRSC", filter, permuted(filter, {0, 1, 2, 3}),
     permuted(filter, {0, 2, 3, 1}), true},
};

/// Values that show how a cast rounds, truncates and saturates, as far as `from` can hold them.
Values values_for(DType from) {
  if (from == DType::u8) return index_values(256);
  if (!is_floating(from)) {
    return [](int64_t i, uint32_t word) {
      const double magnitude = i % 3 == 0 ? 300 : 0x1p30;
      return std::trunc(magnitude * (2 * uniform_from(word) - 1));
    };
  }
  return [](int64_t i, uint32_t word) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    switch (i % 13) {
      case 5:
        return word % 2 == 0 ? infinity : -infinity;
      case 7:
        return std::numeric_limits<double>::quiet_NaN();
      case 9:
        return (2.0 * uniform_from(word) - 1) * 0x1p66;
      default:
        return (2.0 * uniform_from(word) - 1) * (i % 2 == 0 ? 300 : 3);
    }
  };
}

Problem<Copy> problem(Operands& operands, const CopyCase& c, DType from, DType to) {
  const View x = operands.input(from, c.shape, c.x_strides, values_for(from));
  const View y = operands.output(to, c.shape, c.y_strides);
  const auto xs = std::make_shared<std::vector<double>>(operands.read(x));
  const auto expected = [=](int64_t i) {
    return Expected{copied((*xs)[static_cast<size_t>(i)], to), 0};
  };
  const double bytes = static_cast<double>(size_of(from) + size_of(to));
  return {{x, y}, {{"y", y, expected}}, 0, bytes * static_cast<double>(numel(c.shape))};
}

}  // namespace

void add_cases_copy(Cases& list) {
  for (const CopyCase& c : cases) {
    const Layout layout =
        is_dense(c.shape, c.y_strides, Layout::nchw) ? Layout::nchw : Layout::nhwc;
    for (const DType from : all_dtypes) {
      for (const DType to : all_dtypes) {
        // Networks copy activations as they are or cast them between f32 and bf16.
        const auto in_a_network = [](DType d) { return d == DType::f32 || d == DType::bf16; };
        if (c.large && !(in_a_network(from) && in_a_network(to))) continue;
        const CaseInfo info{c.why, str(c.shape, ' ', from, c.x_strides, " to ", to, c.y_strides),
                            to, layout, c.large};
        list.add<Copy>(info, [=, &c](Operands& o) { return problem(o, c, from, to); });
      }
    }
  }
}

}  // namespace burin::checks
