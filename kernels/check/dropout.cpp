#include "burin/kernels/dropout.h"

#include <cmath>

#include "burin/kernels/base/random.h"
#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

constexpr int64_t seed = 0x123456789abcd;           // below 2^53: operands are filled from doubles
constexpr int64_t offset = (int64_t{7} << 40) + 5;  // both words of the counter's upper half count

/// The definition: element i lives iff its own random number is at least p.
double dropped(double x, int64_t i, float p) {
  const uint32_t word = philox_word(static_cast<uint64_t>(seed), static_cast<uint64_t>(offset),
                                    static_cast<uint64_t>(i));
  return uniform_from(word) >= p ? x / (1 - static_cast<double>(p)) : 0;
}

struct DropoutCase {
  const char* why;
  Shape shape;
  float p;
  bool in_place = false;
  bool large = false;
};

const DropoutCase cases[] = {
    {"a matrix, as before a classifier", {5, 77}, 0.5f},
    {"an image with odd extents", {2, 5, 7, 3}, 0.25f},
    {"one element", {1}, 0.5f},
    {"nothing to do", {0, 5}, 0.5f},
    {"a tail after every batch of random words", {131}, 0.1f},
    {"enough for two threads", {40'003}, 0.5f},
    {"p = 0 keeps everything", {67}, 0},
    {"p = 1 yields zeros", {67}, 1},
    {"in place", {2, 5, 7, 3}, 0.5f, true},
    {"a transformer's tokens", {16, 197, 768}, 0.1f, false, true},
    {"SqueezeNet's classifier", {16, 512, 13, 13}, 0.5f, false, true},
};

View state_input(Operands& operands) {
  return operands.input(DType::i64, {2}, Layout::nchw, [](int64_t i, uint32_t /*word*/) {
    return static_cast<double>(i == 0 ? seed : offset);
  });
}

Expectation masked(const View& x, const View& y, const char* what, float p, Operands& operands) {
  const auto xs = std::make_shared<std::vector<double>>(operands.read(x));
  const auto expected = [=](int64_t i) {
    const double value = dropped((*xs)[static_cast<size_t>(i)], i, p);
    return Expected{value, std::abs(value)};
  };
  return {what, y, expected};
}

Expectation pair_of(const View& view, const char* what, int64_t first, int64_t second) {
  return {what, view, [=](int64_t i) {
            return Expected{static_cast<double>(i == 0 ? first : second), 0};
          }};
}

void add_cases(Cases& list, const DropoutCase& c, DType dtype, Layout layout) {
  const CaseInfo info{c.why, str("p ", c.p, " x ", c.shape), dtype, layout, c.large};
  const double count = static_cast<double>(numel(c.shape));
  const double bytes = 2 * count * static_cast<double>(size_of(dtype));
  list.add<DropoutForward>(info, [=, &c](Operands& o) {
    const View x = o.input(dtype, c.shape, layout);
    const View y = c.in_place ? x : o.output(dtype, c.shape, layout);
    const View state = state_input(o);
    const View used = o.output(DType::i64, {2});
    return Problem<DropoutForward>{
        {x, y, state, used, c.p},
        {masked(x, y, "y", c.p, o), pair_of(state, "state", seed, offset + 1),
         pair_of(used, "used", seed, offset)},
        count,
        bytes};
  });
  list.add<DropoutBackward>(info, [=, &c](Operands& o) {
    const View dy = o.input(dtype, c.shape, layout);
    const View dx = c.in_place ? dy : o.output(dtype, c.shape, layout);
    return Problem<DropoutBackward>{
        {dy, state_input(o), dx, c.p}, {masked(dy, dx, "dx", c.p, o)}, count, bytes};
  });
}

}  // namespace

void add_cases_dropout(Cases& list) {
  for (const DropoutCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        if (layout == Layout::nhwc && c.shape.rank() != 4) continue;
        if (!(c.large && dtype == DType::f16)) add_cases(list, c, dtype, layout);
      }
    }
  }
}

}  // namespace burin::checks
