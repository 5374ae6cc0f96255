#include "burin/kernels/fill.h"

#include <cmath>
#include <numbers>

#include "burin/kernels/base/random.h"
#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

constexpr uint64_t seed = 0x123456789abcu;  // exact in double, which operands are drawn in
constexpr uint64_t offset = 5;

double uniform(uint32_t word) {
  return static_cast<double>(word >> 8) * 0x1p-24;
}

/// Box and Muller in double; u1 in (0, 1].
double normal(uint32_t word1, uint32_t word2) {
  const double u1 = static_cast<double>((word1 >> 8) + 1) * 0x1p-24;
  return std::sqrt(-2 * std::log(u1)) * std::cos(2 * std::numbers::pi * uniform(word2));
}

double truncated_normal(uint64_t i) {
  for (uint64_t block = i;; block += uint64_t{1} << 48) {
    const auto words = philox(seed, offset, block);
    for (const size_t k : {0u, 2u}) {
      const double z = normal(words[k], words[k + 1]);
      if (std::abs(z) <= 2) return z;
    }
  }
}

/// The definition: element i, in logical order. The scale is that of the largest intermediate.
Expected definition(FillKind kind, double a, double b, int64_t index) {
  const auto i = static_cast<uint64_t>(index);
  const auto block = philox(seed, offset, i);
  const double u = uniform(philox(seed, offset, i / 4)[i % 4]);
  switch (kind) {
    case FillKind::constant:
      return {a, std::abs(a)};
    case FillKind::uniform:
      return {a + (b - a) * u, std::abs(a) + std::abs(b - a)};
    // cos of an angle up to 2π in f32 is off by up to 2π·u beside its value.
    case FillKind::normal:
      return {a + b * normal(block[0], block[1]), std::abs(a) + 8 * std::abs(b)};
    case FillKind::truncated_normal:
      return {a + b * truncated_normal(i), std::abs(a) + 8 * std::abs(b)};
    case FillKind::bernoulli:
      return {u < a ? 1.0 : 0.0, 0};
  }
  return {};
}

struct FillCase {
  const char* why;
  Shape shape;
  FillKind kind;
  double a, b;
};

const FillCase cases[] = {
    {"zeros", {3, 5, 2, 7}, FillKind::constant, 0, 1},
    {"one element", {}, FillKind::constant, -2.5, 1},
    {"a layer's weights", {7, 3, 3, 5}, FillKind::uniform, -0.3, 0.7},
    {"blocks of four words are cut at both ends", {1, 3, 1, 3}, FillKind::uniform, 0, 1},
    {"weights by fan", {5, 3, 7, 3}, FillKind::normal, 0.5, 2},
    {"many, so that some are drawn again", {4, 8, 6, 7}, FillKind::truncated_normal, -1, 0.02},
    {"a mask", {3, 4, 5, 6}, FillKind::bernoulli, 0.3, 0},
};

Problem<Fill> make(Operands& operands, const FillCase& c, DType dtype, Layout layout) {
  const View y = operands.output(dtype, c.shape, layout);
  Fill op{.y = y, .kind = c.kind, .a = c.a, .b = c.b, .state = {}};
  std::vector<Expectation> expectations = {
      {"y", y, [c](int64_t i) { return definition(c.kind, c.a, c.b, i); }}};
  if (c.kind != FillKind::constant) {
    op.state = operands.input(DType::i64, {2}, Layout::nchw, [](int64_t i, uint32_t) {
      return static_cast<double>(i == 0 ? seed : offset);
    });
    expectations.push_back({"state", op.state, [](int64_t i) {
                              return Expected{static_cast<double>(i == 0 ? seed : offset + 1), 0};
                            }});
  }
  const auto count = static_cast<double>(numel(c.shape));
  return {op, expectations, 0, count * static_cast<double>(size_of(dtype))};
}

}  // namespace

void add_cases_fill(Cases& list) {
  for (const FillCase& c : cases) {
    for (const DType dtype : all_dtypes) {
      if (!is_floating(dtype) && (c.kind != FillKind::constant || c.a < 0)) continue;
      for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        const CaseInfo info{c.why, str("y ", c.shape), dtype, layout};
        list.add<Fill>(info, [=](Operands& o) { return make(o, c, dtype, layout); });
      }
    }
  }
}

}  // namespace burin::checks
