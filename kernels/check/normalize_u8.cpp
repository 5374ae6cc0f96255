#include "burin/kernels/normalize_u8.h"

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

struct NormalizeCase {
  const char* why;
  Shape shape;
  Layout from;
  bool large = false;
};

const NormalizeCase cases[] = {
    {"decoded images", {2, 3, 5, 7}, Layout::nhwc},
    {"CIFAR's planes", {2, 3, 6, 5}, Layout::nchw},
    {"one grey pixel", {1, 1, 1, 1}, Layout::nhwc},
    {"five channels", {2, 5, 9, 7}, Layout::nhwc},
    {"several blocks, grey", {2, 1, 81, 67}, Layout::nhwc},
    {"several blocks, three channels", {3, 3, 41, 37}, Layout::nhwc},
    {"a batch for ResNet", {16, 3, 224, 224}, Layout::nhwc, true},
};

Problem<NormalizeU8> make(Operands& o, const NormalizeCase& c, DType dtype, Layout layout) {
  const int64_t C = c.shape[1];
  const View x = o.input(DType::u8, c.shape, c.from, index_values(256));
  const View mean = o.input(DType::f32, {C}, Layout::nchw, uniform_values(0.3, 0.5));
  const View std = o.input(DType::f32, {C}, Layout::nchw, uniform_values(0.2, 0.3));
  const View y = o.output(dtype, c.shape, layout);
  const auto xs = std::make_shared<std::vector<double>>(o.read(x));
  const auto means = std::make_shared<std::vector<double>>(o.read(mean));
  const auto stds = std::make_shared<std::vector<double>>(o.read(std));
  const int64_t plane = c.shape[2] * c.shape[3];
  const auto expected = [=](int64_t i) {
    const auto channel = static_cast<size_t>(i / plane % C);
    const double level = (*xs)[static_cast<size_t>(i)] / 255;
    return Expected{(level - (*means)[channel]) / (*stds)[channel], 1 / (*stds)[channel]};
  };
  const auto count = static_cast<double>(numel(c.shape));
  return {{x, mean, std, y},
          {{"y", y, expected}},
          2 * count,
          count * static_cast<double>(1 + size_of(dtype))};
}

}  // namespace

void add_cases_normalize_u8(Cases& list) {
  for (const NormalizeCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        const CaseInfo info{c.why, str("x ", c.shape, ' ', c.from), dtype, layout, c.large};
        list.add<NormalizeU8>(info, [=](Operands& o) { return make(o, c, dtype, layout); });
      }
    }
  }
}

}  // namespace burin::checks
