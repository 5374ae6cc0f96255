#include "burin/kernels/gather_u8.h"

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

struct GatherCase {
  const char* why;
  Shape table;  // [M, C, H0, W0]
  int64_t N, H, W;
  int64_t padding = 0;  // how far a window may reach over an image's edges
  Layout layout = Layout::nhwc;
  bool large = false;
};

const GatherCase cases[] = {
    {"whole images, mirrored or not", {5, 3, 5, 7}, 3, 5, 7},
    {"CIFAR's padded crop", {4, 3, 8, 8}, 6, 8, 8, 4},
    {"windows smaller than the images", {3, 3, 9, 11}, 4, 5, 4},
    {"windows beside the images show black", {2, 2, 3, 3}, 5, 4, 5, 6},
    {"planes", {3, 3, 6, 5}, 2, 6, 5, 1, Layout::nchw},
    {"one grey pixel", {1, 1, 1, 1}, 1, 1, 1},
    {"a batch of CIFAR", {4096, 3, 32, 32}, 256, 32, 32, 4, Layout::nhwc, true},
};

/// Column k of rows [N, 4] of case c: which image, left, top, mirrored or not.
Values row_values(const GatherCase& c) {
  const int64_t choices[] = {c.table[0], c.table[3] + 2 * c.padding - c.W + 1,
                             c.table[2] + 2 * c.padding - c.H + 1, 2};
  const int64_t least[] = {0, -c.padding, -c.padding, 0};
  return [=](int64_t index, uint32_t word) {
    const int64_t column = index % 4;
    return static_cast<double>(least[column] + int64_t{word >> 8} % choices[column]);
  };
}

/// The definition for one element of y.
double level_of(const GatherCase& c, const std::vector<double>& table,
                const std::vector<double>& rows, int64_t i) {
  const int64_t C = c.table[1], H0 = c.table[2], W0 = c.table[3];
  const int64_t w = i % c.W, h = i / c.W % c.H, channel = i / (c.W * c.H) % C;
  const double* const row = rows.data() + 4 * (i / (c.W * c.H * C));
  const auto image = static_cast<int64_t>(row[0]), left = static_cast<int64_t>(row[1]),
             top = static_cast<int64_t>(row[2]);
  const int64_t x = left + (row[3] != 0 ? c.W - 1 - w : w), y = top + h;
  if (x < 0 || x >= W0 || y < 0 || y >= H0) return 0;
  return table[static_cast<size_t>(((image * C + channel) * H0 + y) * W0 + x)];
}

Problem<GatherU8> make(Operands& o, const GatherCase& c, DType dtype, Layout layout) {
  const int64_t C = c.table[1], plane = c.H * c.W;
  const View table = o.input(DType::u8, c.table, c.layout, index_values(256));
  const View rows = o.input(DType::i32, {c.N, 4}, Layout::nchw, row_values(c));
  const View mean = o.input(DType::f32, {C}, Layout::nchw, uniform_values(0.3, 0.5));
  const View std = o.input(DType::f32, {C}, Layout::nchw, uniform_values(0.2, 0.3));
  const View y = o.output(dtype, {c.N, C, c.H, c.W}, layout);
  const auto levels = std::make_shared<std::vector<double>>(o.read(table));
  const auto drawn = std::make_shared<std::vector<double>>(o.read(rows));
  const auto means = std::make_shared<std::vector<double>>(o.read(mean));
  const auto stds = std::make_shared<std::vector<double>>(o.read(std));
  const auto expected = [=](int64_t i) {
    const auto channel = static_cast<size_t>(i / plane % C);
    const double level = level_of(c, *levels, *drawn, i) / 255;
    return Expected{(level - (*means)[channel]) / (*stds)[channel], 1 / (*stds)[channel]};
  };
  const auto count = static_cast<double>(y.numel());
  return {{table, rows, mean, std, y},
          {{"y", y, expected}},
          2 * count,
          count * static_cast<double>(1 + size_of(dtype))};
}

}  // namespace

void add_cases_gather_u8(Cases& list) {
  for (const GatherCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        const CaseInfo info{c.why,
                            str("table ", c.table, ' ', c.layout, ", windows ", c.H, 'x', c.W,
                                " padded by ", c.padding),
                            dtype, layout, c.large};
        list.add<GatherU8>(info, [=](Operands& o) { return make(o, c, dtype, layout); });
      }
    }
  }
}

}  // namespace burin::checks
