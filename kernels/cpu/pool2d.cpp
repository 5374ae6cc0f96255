// Pooling, handwritten. In nhwc the inner loop runs over the channels of one position, in nchw over
// the columns of one row; maxima use one and the same loop for both, with another stride.
//
// Backward gathers: an element of dx looks at the windows it lies in, so dx is written once, in
// order, by any number of threads, and sums are float whatever the dtype.
#include "burin/kernels/pool2d.h"

#include <limits>
#include <type_traits>
#include <vector>

#include "burin/kernels/cpu/support/planes.h"
#include "burin/kernels/cpu/support/pool_axes.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

/// Calls loop(stride) with a stride of 1 known at compile time, so that the loop is vectorised.
template <class Loop>
void with_stride(int64_t stride, const Loop& loop) {
  if (stride == 1) {
    loop(std::integral_constant<int64_t, 1>{});
  } else {
    loop(stride);
  }
}

// ---- maximum

/// Memory for the outputs under construction: one position's channels, or one row.
struct MaxLine {
  explicit MaxLine(int64_t count)
      : best(static_cast<size_t>(count)), index(static_cast<size_t>(count)) {}
  std::vector<float> best;
  std::vector<int32_t> index;
};

/// Elements of an image: number i is first[i · stride], at position + i · step of its plane.
template <class T>
struct Line {
  T* first;
  int64_t stride;
  int32_t position, step;
};

/// best[i] = max(best[i], x[i]) with its position; NaN wins, of equals the first.
template <class T>
void take_larger(const Line<const T>& x, int64_t count, float* best, int32_t* index) {
  with_stride(x.stride, [=](auto apart) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      const float value = static_cast<float>(x.first[i * apart]);
      const bool larger = (value > best[i]) | (value != value);
      best[i] = larger ? value : best[i];
      index[i] = larger ? x.position + static_cast<int32_t>(i) * x.step : index[i];
    }
  });
}

template <class T>
void write_max(const MaxPool2dForward& op, int64_t at, int64_t count, const MaxLine& line) {
  T* const y = op.y.as<T>() + at;
  for (int64_t i = 0; i < count; ++i) y[i] = T(line.best[static_cast<size_t>(i)]);
  if (op.index) std::copy_n(line.index.data(), count, op.index.as<int32_t>() + at);
}

/// One output row of an nhwc image, position by position.
template <class T>
void max_row_deep(const MaxPool2dForward& op, const Axes& axes, const Planes& in, const Planes& out,
                  int64_t plane, int64_t p) {
  MaxLine line(out.depth);
  const Range rows = axes.h.window(p);
  for (int64_t q = 0; q < out.W; ++q) {
    const Range columns = axes.w.window(q);
    std::fill(line.best.begin(), line.best.end(), -std::numeric_limits<float>::infinity());
    std::fill(line.index.begin(), line.index.end(),
              static_cast<int32_t>(rows.begin * in.W + columns.begin));
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        const auto position = static_cast<int32_t>(h * in.W + w);
        take_larger<T>({op.x.as<T>() + in.offset(plane, h, w), 1, position, 0}, out.depth,
                       line.best.data(), line.index.data());
      }
    }
    write_max<T>(op, out.offset(plane, p, q), out.depth, line);
  }
}

/// One output row of an nchw image, window position by window position.
template <class T>
void max_row_flat(const MaxPool2dForward& op, const Axes& axes, const Planes& in, const Planes& out,
                  int64_t plane, int64_t p) {
  MaxLine line(out.W);
  const Range rows = axes.h.window(p);
  std::fill(line.best.begin(), line.best.end(), -std::numeric_limits<float>::infinity());
  for (int64_t q = 0; q < out.W; ++q) {
    line.index[static_cast<size_t>(q)] =
        static_cast<int32_t>(rows.begin * in.W + axes.w.window(q).begin);
  }
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    for (int64_t s = 0; s < axes.w.kernel; ++s) {
      const Range outputs = axes.w.outputs_at(s);
      if (outputs.begin >= outputs.end) continue;
      const int64_t w = outputs.begin * axes.w.stride - axes.w.pad + s;
      const Line<const T> x = {op.x.as<T>() + in.offset(plane, h, w), axes.w.stride,
                               static_cast<int32_t>(h * in.W + w),
                               static_cast<int32_t>(axes.w.stride)};
      take_larger(x, outputs.end - outputs.begin, line.best.data() + outputs.begin,
                  line.index.data() + outputs.begin);
    }
  }
  write_max<T>(op, out.offset(plane, p, 0), out.W, line);
}

void max_forward(const MaxPool2dForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const Layout layout = common_layout(op.x, op.y);
  const Planes in = Planes::of(op.x, layout), out = Planes::of(op.y, layout);
  const Axes axes = axes_of(op.x, op.y, op.params);
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_line(out, [&](int64_t plane, int64_t p) {
      if (layout == Layout::nhwc) {
        max_row_deep<T>(op, axes, in, out, plane, p);
      } else {
        max_row_flat<T>(op, axes, in, out, plane, p);
      }
    });
  });
}

/// sum[i] += dy[i] where index[i] is that sum's position.
template <class T>
void take_gradient(const T* dy, const int32_t* index, int64_t count, const Line<float>& sum) {
  with_stride(sum.stride, [=](auto apart) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      const float value = static_cast<float>(dy[i]);
      const bool chosen = index[i] == sum.position + static_cast<int32_t>(i) * sum.step;
      sum.first[i * apart] += chosen ? value : 0.0f;
    }
  });
}

template <class T>
void max_gradient_row_deep(const MaxPool2dBackward& op, const Axes& axes, const Planes& in,
                           const Planes& out, int64_t plane, int64_t h) {
  std::vector<float> sum(static_cast<size_t>(in.depth));
  const Range rows = axes.h.outputs_over(h);
  for (int64_t w = 0; w < in.W; ++w) {
    const Range columns = axes.w.outputs_over(w);
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (int64_t p = rows.begin; p < rows.end; ++p) {
      for (int64_t q = columns.begin; q < columns.end; ++q) {
        const int64_t at = out.offset(plane, p, q);
        take_gradient(op.dy.as<T>() + at, op.index.as<int32_t>() + at, in.depth,
                      {sum.data(), 1, static_cast<int32_t>(h * in.W + w), 0});
      }
    }
    T* const dx = op.dx.as<T>() + in.offset(plane, h, w);
    for (int64_t c = 0; c < in.depth; ++c) dx[c] = T(sum[static_cast<size_t>(c)]);
  }
}

template <class T>
void max_gradient_row_flat(const MaxPool2dBackward& op, const Axes& axes, const Planes& in,
                           const Planes& out, int64_t plane, int64_t h) {
  std::vector<float> sum(static_cast<size_t>(in.W));
  const Range rows = axes.h.outputs_over(h);
  for (int64_t p = rows.begin; p < rows.end; ++p) {
    for (int64_t s = 0; s < axes.w.kernel; ++s) {
      const Range outputs = axes.w.outputs_at(s);
      if (outputs.begin >= outputs.end) continue;
      const int64_t w = outputs.begin * axes.w.stride - axes.w.pad + s;
      const int64_t at = out.offset(plane, p, outputs.begin);
      take_gradient(op.dy.as<T>() + at, op.index.as<int32_t>() + at, outputs.end - outputs.begin,
                    {sum.data() + w, axes.w.stride, static_cast<int32_t>(h * in.W + w),
                     static_cast<int32_t>(axes.w.stride)});
    }
  }
  T* const dx = op.dx.as<T>() + in.offset(plane, h, 0);
  for (int64_t w = 0; w < in.W; ++w) dx[w] = T(sum[static_cast<size_t>(w)]);
}

void max_backward(const MaxPool2dBackward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const Layout layout = common_layout(op.dx, op.dy, op.index);
  const Planes in = Planes::of(op.dx, layout), out = Planes::of(op.dy, layout);
  const Axes axes = axes_of(op.dx, op.dy, op.params);
  visit_floating(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_line(in, [&](int64_t plane, int64_t h) {
      if (layout == Layout::nhwc) {
        max_gradient_row_deep<T>(op, axes, in, out, plane, h);
      } else {
        max_gradient_row_flat<T>(op, axes, in, out, plane, h);
      }
    });
  });
}

// ---- averages

struct AverageAxes {
  AverageAxis h, w;
};

template <class Op>
AverageAxes average_axes(const Op& op, const ConstView& input, const ConstView& output) {
  if constexpr (requires { op.params; }) {
    const Axes axes = axes_of(input, output, op.params);
    return {average_axis(axes.h, op.params.count_include_pad),
            average_axis(axes.w, op.params.count_include_pad)};
  } else {
    return {adaptive_axis(input.dim(2), output.dim(2)), adaptive_axis(input.dim(3), output.dim(3))};
  }
}

/// sum[c] = Σ over the window of each channel. In double: a global pool adds thousands of values.
template <class T>
void sum_window(const T* x, const Planes& in, int64_t plane, Range rows, Range columns,
                double* sum) {
  if (in.depth == 1) {
    double total = 0;
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      const T* const row = x + in.offset(plane, h, 0);
#pragma omp simd reduction(+ : total)
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        total += static_cast<double>(static_cast<float>(row[w]));
      }
    }
    *sum = total;
    return;
  }
  std::fill_n(sum, in.depth, 0.0);
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      const T* const pixel = x + in.offset(plane, h, w);
#pragma omp simd
      for (int64_t c = 0; c < in.depth; ++c) {
        sum[c] += static_cast<double>(static_cast<float>(pixel[c]));
      }
    }
  }
}

template <class Op>
void average_forward(const Op& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const Layout layout = common_layout(op.x, op.y);
  const Planes in = Planes::of(op.x, layout), out = Planes::of(op.y, layout);
  const AverageAxes axes = average_axes(op, op.x, op.y);
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_line(out, [&](int64_t plane, int64_t p) {
      std::vector<double> sum(static_cast<size_t>(out.depth));
      for (int64_t q = 0; q < out.W; ++q) {
        const auto row = static_cast<size_t>(p), column = static_cast<size_t>(q);
        sum_window(op.x.template as<T>(), in, plane, axes.h.windows[row], axes.w.windows[column],
                   sum.data());
        const double divisor = double{axes.h.divisor[row]} * double{axes.w.divisor[column]};
        T* const y = op.y.template as<T>() + out.offset(plane, p, q);
        for (int64_t c = 0; c < out.depth; ++c) {
          y[c] = T(static_cast<float>(sum[static_cast<size_t>(c)] / divisor));
        }
      }
    });
  });
}

template <class T, class Op>
void average_gradient_row(const Op& op, const AverageAxes& axes, const Planes& in,
                          const Planes& out, int64_t plane, int64_t h) {
  std::vector<float> sum(static_cast<size_t>(in.depth));
  const Range rows = axes.h.outputs_over[static_cast<size_t>(h)];
  for (int64_t w = 0; w < in.W; ++w) {
    const Range columns = axes.w.outputs_over[static_cast<size_t>(w)];
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (int64_t p = rows.begin; p < rows.end; ++p) {
      for (int64_t q = columns.begin; q < columns.end; ++q) {
        const T* const dy = op.dy.template as<T>() + out.offset(plane, p, q);
        const float divisor =
            axes.h.divisor[static_cast<size_t>(p)] * axes.w.divisor[static_cast<size_t>(q)];
        for (int64_t c = 0; c < in.depth; ++c) {
          sum[static_cast<size_t>(c)] += static_cast<float>(dy[c]) / divisor;
        }
      }
    }
    T* const dx = op.dx.template as<T>() + in.offset(plane, h, w);
    for (int64_t c = 0; c < in.depth; ++c) dx[c] = T(sum[static_cast<size_t>(c)]);
  }
}

template <class Op>
void average_backward(const Op& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const Layout layout = common_layout(op.dx, op.dy);
  const Planes in = Planes::of(op.dx, layout), out = Planes::of(op.dy, layout);
  const AverageAxes axes = average_axes(op, op.dx, op.dy);
  visit_floating(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_line(in, [&](int64_t plane, int64_t h) {
      average_gradient_row<T>(op, axes, in, out, plane, h);
    });
  });
}

// ---- what is taken

Refusal accepts_images(const ConstView& one, const ConstView& other) {
  if (!is_floating(one.dtype)) return str("dtype ", one.dtype);
  if (other.dtype != one.dtype) return str("dtypes ", one.dtype, " and ", other.dtype);
  if (one.rank() != 4 || other.rank() != 4) return "only [N, C, H, W]";
  if (one.numel() == 0 || other.numel() == 0) return "an empty image";
  const auto both = [&](Layout layout) { return one.is_dense(layout) && other.is_dense(layout); };
  if (both(Layout::nhwc) || both(Layout::nchw)) return "";
  return "input and output are not dense in one layout";
}

Refusal accepts_max_forward(const MaxPool2dForward& op, const Context& /*context*/) {
  if (op.index && !same_dense_order(op.index, op.y)) return "the index does not lie like y";
  return accepts_images(op.x, op.y);
}

Refusal accepts_max_backward(const MaxPool2dBackward& op, const Context& /*context*/) {
  if (!same_dense_order(op.index, op.dy)) return "the index does not lie like dy";
  return accepts_images(op.dy, op.dx);
}

template <class Op>
Refusal accepts_average(const Op& op, const Context& /*context*/) {
  if constexpr (requires { op.x; }) {
    return accepts_images(op.x, op.y);
  } else {
    return accepts_images(op.dy, op.dx);
  }
}

template <class Op>
void add(Registry& registry, Refusal (*accepts)(const Op&, const Context&),
         void (*run)(const Op&, Workspace, Stream&)) {
  registry.add<Op>({.name = "cpu", .accepts = accepts, .run = run});
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_pool2d(Registry& registry) {
  using namespace cpu;
  add<MaxPool2dForward>(registry, accepts_max_forward, max_forward);
  add<MaxPool2dBackward>(registry, accepts_max_backward, max_backward);
  add<AvgPool2dForward>(registry, accepts_average, average_forward);
  add<AvgPool2dBackward>(registry, accepts_average, average_backward);
  add<AdaptiveAvgPool2dForward>(registry, accepts_average, average_forward);
  add<AdaptiveAvgPool2dBackward>(registry, accepts_average, average_backward);
}

}  // namespace burin
