#include "burin/kernels/check/pool2d.h"

#include <cmath>
#include <limits>

#include "burin/kernels/check/case.h"
#include "burin/kernels/check/sum_of_products.h"

namespace burin::checks {
namespace {

// ---- the definition

using Numbers = std::vector<double>;
using Shared = std::shared_ptr<const Numbers>;

Window adaptive_window(const Shape& x, const Shape& y, int64_t p, int64_t q) {
  const auto begin = [](int64_t i, int64_t extent, int64_t outputs) {
    return i * extent / outputs;
  };
  const auto end = [](int64_t i, int64_t extent, int64_t outputs) {
    return ((i + 1) * extent + outputs - 1) / outputs;
  };
  const Window w{begin(p, x[2], y[2]), end(p, x[2], y[2]), begin(q, x[3], y[3]), end(q, x[3], y[3]),
                 0};
  return {w.top, w.bottom, w.left, w.right,
          static_cast<double>((w.bottom - w.top) * (w.right - w.left))};
}

struct Maximum {
  double value = -std::numeric_limits<double>::infinity();
  int64_t index = -1;  // h · W + w
};

/// The first in scan order among equals; of several NaN the last, as torch has it.
Maximum maximum(const double* plane, int64_t W, const Window& window) {
  Maximum best;
  for (int64_t h = window.top; h < window.bottom; ++h) {
    for (int64_t w = window.left; w < window.right; ++w) {
      const double v = plane[h * W + w];
      if (best.index < 0 || v > best.value || std::isnan(v)) best = {v, h * W + w};
    }
  }
  return best;
}

Expected average(const double* plane, int64_t W, const Window& window) {
  Sum sum;
  for (int64_t h = window.top; h < window.bottom; ++h) {
    for (int64_t w = window.left; w < window.right; ++w) sum.add(plane[h * W + w]);
  }
  const Expected expected = sum.expected();
  return {expected.value / window.divisor, expected.scale / window.divisor};
}

// ---- cases

enum class Content { normal, zeros, ties, nan, infinite };

struct PoolCase {
  const char* why;
  Shape x;
  Pool2dParams params;
  Content content = Content::normal;
  bool large = false;
};

constexpr Pool2dParams square(int64_t kernel, int64_t stride, int64_t pad, bool ceil_mode = false,
                              bool count_include_pad = true) {
  return {kernel, kernel, stride, stride, pad, pad, ceil_mode, count_include_pad};
}

const PoolCase cases[] = {
    {"ResNet's stem pool on odd extents", {2, 5, 11, 13}, square(3, 2, 1)},
    {"ResNet's stem pool, a tail after every vector width", {2, 67, 7, 8}, square(3, 2, 1)},
    {"windows that meet without overlapping", {2, 8, 6, 8}, square(2, 2, 0)},
    {"SqueezeNet: ceil_mode adds a window that reaches past the edge",
     {2, 3, 8, 10},
     square(3, 2, 0, true)},
    {"ceil_mode where the last window would start in the padding",
     {1, 4, 5, 5},
     square(2, 2, 1, true)},
    {"ceil_mode with padding: an average never counts what lies beyond it",
     {1, 4, 6, 7},
     square(3, 2, 1, true)},
    {"the divisor counts real elements only", {2, 6, 7, 5}, square(3, 2, 1, false, false)},
    {"ceil_mode, divisor of real elements only", {1, 5, 8, 6}, square(3, 2, 1, true, false)},
    {"stride 1, every window overlaps", {1, 9, 7, 6}, square(3, 1, 1)},
    {"stride larger than the kernel: some elements in no window", {2, 4, 9, 8}, square(2, 3, 0)},
    {"a different kernel, stride and pad on each axis", {2, 6, 9, 12}, {4, 3, 3, 2, 2, 1}},
    {"kernel as large as the image", {2, 10, 5, 5}, square(5, 5, 0)},
    {"one channel: both layouts are the same memory", {2, 1, 7, 9}, square(3, 2, 1)},
    {"one pixel", {3, 5, 1, 1}, square(3, 2, 1)},
    {"all zeros, as after a ReLU: the first element is chosen",
     {2, 5, 7, 8},
     square(3, 2, 1),
     Content::zeros},
    {"few distinct values: ties go to the first in scan order",
     {2, 9, 9, 7},
     square(3, 2, 1),
     Content::ties},
    {"NaN wins and travels", {2, 5, 9, 7}, square(3, 2, 1), Content::nan},
    {"infinities, also windows of −∞ only", {2, 5, 9, 7}, square(2, 2, 1), Content::infinite},
    {"several threads", {3, 24, 41, 37}, square(3, 2, 1)},
    {"windows wider than what is loaded at once", {1, 16, 7, 9}, square(4, 1, 2)},
    {"more channels than a block is wide, the last block not full",
     {2, 136, 9, 10},
     square(3, 2, 1)},
    {"eight channels, stride 3", {2, 8, 10, 11}, square(3, 3, 1)},
    {"ties, channels a multiple of every vector", {2, 16, 9, 7}, square(3, 2, 1), Content::ties},
    {"NaN, channels a multiple of every vector", {2, 16, 9, 7}, square(3, 2, 1), Content::nan},
    {"infinities, channels a multiple of every vector",
     {2, 16, 9, 7},
     square(2, 2, 1),
     Content::infinite},
    {"ResNet18 stem", {16, 64, 112, 112}, square(3, 2, 1), Content::normal, true},
};

struct AdaptiveCase {
  const char* why;
  Shape x;
  int64_t P, Q;
  bool large = false;
};

const AdaptiveCase adaptive_cases[] = {
    {"the end of a ResNet: the mean of the plane", {2, 35, 7, 7}, 1, 1},
    {"extents that do not divide: windows overlap", {2, 5, 7, 10}, 3, 4},
    {"more outputs than inputs", {1, 6, 3, 2}, 5, 7},
    {"as many outputs as inputs", {2, 4, 5, 6}, 5, 6},
    {"a large plane with a mean: a float sum would lose digits", {1, 3, 61, 67}, 1, 1},
    {"one channel", {3, 1, 6, 9}, 2, 3},
    {"the mean of the plane, channels a multiple of every vector", {2, 24, 7, 7}, 1, 1},
    {"a long row with a mean", {1, 8, 3, 41}, 1, 1},
    {"windows overlap, channels a multiple of every vector", {2, 16, 7, 10}, 3, 4},
    {"more outputs than inputs, more channels than a block is wide", {1, 520, 3, 2}, 5, 7},
    {"ResNet18's last", {16, 512, 7, 7}, 1, 1, true},
};

Values values_of(Content content) {
  Values normal = normal_values();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  switch (content) {
    case Content::normal:
      return normal;
    case Content::zeros:
      return constant_values(0);
    case Content::ties:
      return index_values(3);
    case Content::nan:
      return [normal](int64_t i, uint32_t word) {
        return word % 16 == 0 ? std::numeric_limits<double>::quiet_NaN() : normal(i, word);
      };
    case Content::infinite:
      return [normal](int64_t i, uint32_t word) {
        return word % 4 != 0 ? -infinity : word % 16 == 0 ? infinity : normal(i, word);
      };
  }
  return normal;
}

double bytes_of(const Shape& shape, DType dtype) {
  return static_cast<double>(numel(shape)) * static_cast<double>(size_of(dtype));
}

Problem<MaxPool2dForward> max_forward(Operands& operands, const PoolCase& c, DType dtype,
                                      Layout layout, bool with_index) {
  const Shape shape = pooled_shape(c.x, c.params);
  MaxPool2dForward op;
  op.x = operands.input(dtype, c.x, layout, values_of(c.content));
  op.y = operands.output(dtype, shape, layout);
  if (with_index) op.index = operands.output(DType::i32, shape, layout);
  op.params = c.params;
  const auto xs = std::make_shared<const Numbers>(operands.read(op.x));
  const auto at = over_outputs(
      c.x, shape, [c](int64_t p, int64_t q) { return window_of(c.x, p, q, c.params); });
  const auto largest = [=](int64_t i) {
    return at(i, [&](size_t plane, const Window& window) {
      return maximum(xs->data() + plane, c.x[3], window);
    });
  };
  Problem<MaxPool2dForward> problem;
  problem.op = op;
  problem.expectations = {{"y", op.y, [=](int64_t i) { return Expected{largest(i).value, 0}; }}};
  if (with_index) {
    problem.expectations.push_back({"index", op.index, [=](int64_t i) {
                                      return Expected{static_cast<double>(largest(i).index), 0};
                                    }});
  }
  problem.flops = static_cast<double>(numel(shape) * c.params.kernel_h * c.params.kernel_w);
  problem.bytes = bytes_of(c.x, dtype) + bytes_of(shape, dtype) +
                  (with_index ? bytes_of(shape, DType::i32) : 0);
  return problem;
}

Problem<MaxPool2dBackward> max_backward(Operands& operands, const PoolCase& c, DType dtype,
                                        Layout layout) {
  const Shape shape = pooled_shape(c.x, c.params);
  const Numbers xs = operands.read(operands.input(dtype, c.x, layout, values_of(c.content)));
  const auto at = over_outputs(
      c.x, shape, [c](int64_t p, int64_t q) { return window_of(c.x, p, q, c.params); });
  MaxPool2dBackward op;
  op.dy = operands.input(dtype, shape, layout);
  op.index = operands.input(DType::i32, shape, layout, [&](int64_t i, uint32_t) {
    return at(i, [&](size_t plane, const Window& window) {
      return static_cast<double>(maximum(xs.data() + plane, c.x[3], window).index);
    });
  });
  op.dx = operands.output(dtype, c.x, layout);
  op.params = c.params;

  std::vector<Expected> dx(static_cast<size_t>(numel(c.x)));
  const Numbers dy = operands.read(op.dy), index = operands.read(op.index);
  for (int64_t i = 0; i < numel(shape); ++i) {
    const auto element = static_cast<size_t>(i);
    const int64_t plane = i / (shape[2] * shape[3]) * c.x[2] * c.x[3];
    Expected& sum = dx[static_cast<size_t>(plane) + static_cast<size_t>(index[element])];
    sum.value += dy[element];
    sum.scale = std::hypot(sum.scale, dy[element]);
  }
  const auto held = std::make_shared<const std::vector<Expected>>(std::move(dx));
  Problem<MaxPool2dBackward> problem;
  problem.op = op;
  problem.expectations = {
      {"dx", op.dx, [held](int64_t i) { return (*held)[static_cast<size_t>(i)]; }}};
  problem.flops = static_cast<double>(numel(shape));
  problem.bytes = bytes_of(c.x, dtype) + bytes_of(shape, dtype) + bytes_of(shape, DType::i32);
  return problem;
}

/// The image that is pooled and what comes of it.
struct Images {
  Shape x, y;
  DType dtype;
  Layout layout;
};

/// Averages, plain and adaptive: `window` gives the window of output (p, q).
template <class Op, class WindowOf>
Problem<Op> average_forward(Operands& operands, Op op, const Images& images, const WindowOf& window,
                            Content content) {
  const auto& [x, y, dtype, layout] = images;
  op.x = operands.input(dtype, x, layout, values_of(content));
  op.y = operands.output(dtype, y, layout);
  const auto xs = std::make_shared<const Numbers>(operands.read(op.x));
  const auto at = over_outputs(x, y, window);
  const auto expected = [=, W = x[3]](int64_t i) {
    return at(i, [&](size_t plane, const Window& w) { return average(xs->data() + plane, W, w); });
  };
  return {op,
          {{"y", op.y, expected}},
          static_cast<double>(numel(x)),
          bytes_of(x, dtype) + bytes_of(y, dtype)};
}

template <class Op, class WindowOf>
Problem<Op> average_backward(Operands& operands, Op op, const Images& images,
                             const WindowOf& window) {
  const auto& [x, y, dtype, layout] = images;
  op.dy = operands.input(dtype, y, layout);
  op.dx = operands.output(dtype, x, layout);
  const Numbers dy = operands.read(op.dy);
  const auto dx = std::make_shared<std::vector<Expected>>(static_cast<size_t>(numel(x)));
  const auto at = over_outputs(x, y, window);
  for (int64_t i = 0; i < numel(y); ++i) {
    at(i, [&, W = x[3]](size_t plane, const Window& w) {
      const double share = dy[static_cast<size_t>(i)] / w.divisor;
      for (int64_t h = w.top; h < w.bottom; ++h) {
        for (int64_t column = w.left; column < w.right; ++column) {
          Expected& sum = (*dx)[plane + static_cast<size_t>(h * W + column)];
          sum.value += share;
          sum.scale = std::hypot(sum.scale, share);
        }
      }
      return 0;
    });
  }
  return {op,
          {{"dx", op.dx, [dx](int64_t i) { return (*dx)[static_cast<size_t>(i)]; }}},
          static_cast<double>(numel(x)),
          bytes_of(x, dtype) + bytes_of(y, dtype)};
}

std::string describe(const PoolCase& c) {
  const Pool2dParams& p = c.params;
  return str("x ", c.x, " kernel ", p.kernel_h, "×", p.kernel_w, " stride ", p.stride_h, "×",
             p.stride_w, " pad ", p.pad_h, "×", p.pad_w, p.ceil_mode ? " ceil" : "",
             p.count_include_pad ? "" : " without padding");
}

void add_pooling(Cases& list, const PoolCase& c, DType dtype, Layout layout) {
  const CaseInfo info{c.why, describe(c), dtype, layout, c.large};
  CaseInfo inference = info;
  inference.problem += " no index";
  list.add<MaxPool2dForward>(info,
                             [=](Operands& o) { return max_forward(o, c, dtype, layout, true); });
  list.add<MaxPool2dForward>(inference,
                             [=](Operands& o) { return max_forward(o, c, dtype, layout, false); });
  list.add<MaxPool2dBackward>(info, [=](Operands& o) { return max_backward(o, c, dtype, layout); });
  if (c.content != Content::normal) return;
  const Images images = {c.x, pooled_shape(c.x, c.params), dtype, layout};
  const auto window = [c](int64_t p, int64_t q) { return window_of(c.x, p, q, c.params); };
  list.add<AvgPool2dForward>(info, [=](Operands& o) {
    AvgPool2dForward op;
    op.params = c.params;
    return average_forward(o, op, images, window, c.content);
  });
  list.add<AvgPool2dBackward>(info, [=](Operands& o) {
    AvgPool2dBackward op;
    op.params = c.params;
    return average_backward(o, op, images, window);
  });
}

void add_adaptive(Cases& list, const AdaptiveCase& c, DType dtype, Layout layout) {
  const Shape y = {c.x[0], c.x[1], c.P, c.Q};
  const CaseInfo info{c.why, str("x ", c.x, " y ", y), dtype, layout, c.large};
  const Images images = {c.x, y, dtype, layout};
  const auto window = [c, y](int64_t p, int64_t q) { return adaptive_window(c.x, y, p, q); };
  list.add<AdaptiveAvgPool2dForward>(info, [=](Operands& o) {
    return average_forward(o, AdaptiveAvgPool2dForward{}, images, window, Content::normal);
  });
  list.add<AdaptiveAvgPool2dBackward>(info, [=](Operands& o) {
    return average_backward(o, AdaptiveAvgPool2dBackward{}, images, window);
  });
}

}  // namespace

void add_cases_pool2d(Cases& list) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      for (const PoolCase& c : cases) add_pooling(list, c, dtype, layout);
      for (const AdaptiveCase& c : adaptive_cases) add_adaptive(list, c, dtype, layout);
    }
  }
}

}  // namespace burin::checks
