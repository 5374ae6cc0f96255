// Pooling, handwritten. `--impl max_pool2d=cuda/<name>` runs one.
//   naive   one thread per element of the result, either layout
//   vector  nhwc: a thread owns eight channels of one pixel and asks for several of a window before
//           it looks at the first; blocks of neighbouring pixels. Kernels: support/pool2d_vector.h
// Backward gathers: an element of dx looks at the windows it lies in. No atomics, one order.
#include "burin/kernels/pool2d.h"

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/image_geometry.h"
#include "burin/kernels/cuda/support/pool2d_vector.h"
#include "burin/kernels/cuda/support/pool_axis.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;

template <class T>
__global__ void max_forward_naive(const T* x, T* y, int32_t* index, Image in, Image out,
                                  Axes<PoolAxis<int64_t>> axes, int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = out.position(i);
  const Range<int64_t> rows = axes.h.window(at.h), columns = axes.w.window(at.w);
  float best = -INFINITY;
  int64_t chosen = rows.begin * in.W + columns.begin;
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      const float value = float(x[in.offset(at.n, at.c, h, w)]);
      if (value > best || value != value) {  // NaN wins; of equals the first
        best = value;
        chosen = h * in.W + w;
      }
    }
  }
  y[i] = T(best);
  if (index != nullptr) index[i] = static_cast<int32_t>(chosen);
}

template <class T>
__global__ void max_backward_naive(const T* dy, const int32_t* index, T* dx, Image in, Image out,
                                   Axes<PoolAxis<int64_t>> axes, int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = in.position(i);
  const Range<int64_t> rows = axes.h.outputs_over(at.h), columns = axes.w.outputs_over(at.w);
  const int32_t here = static_cast<int32_t>(at.h * in.W + at.w);
  float sum = 0;
  for (int64_t p = rows.begin; p < rows.end; ++p) {
    for (int64_t q = columns.begin; q < columns.end; ++q) {
      const int64_t o = out.offset(at.n, at.c, p, q);
      if (index[o] == here) sum += float(dy[o]);
    }
  }
  dx[i] = T(sum);
}

template <class T, class Axis>
__global__ void average_forward_naive(const T* x, T* y, Image in, Image out, Axes<Axis> axes,
                                      int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = out.position(i);
  const Range<int64_t> rows = axes.h.window(at.h), columns = axes.w.window(at.w);
  float sum = 0;
  for (int64_t h = rows.begin; h < rows.end; ++h) {
    float of_row = 0;  // row by row: a window over the whole image stays exact enough
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      of_row += float(x[in.offset(at.n, at.c, h, w)]);
    }
    sum += of_row;
  }
  y[i] = T(sum / (axes.h.divisor(at.h) * axes.w.divisor(at.w)));
}

template <class T, class Axis>
__global__ void average_backward_naive(const T* dy, T* dx, Image in, Image out, Axes<Axis> axes,
                                       int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = in.position(i);
  const Range<int64_t> rows = axes.h.outputs_over(at.h), columns = axes.w.outputs_over(at.w);
  float sum = 0;
  for (int64_t p = rows.begin; p < rows.end; ++p) {
    for (int64_t q = columns.begin; q < columns.end; ++q) {
      sum += float(dy[out.offset(at.n, at.c, p, q)]) / (axes.h.divisor(p) * axes.w.divisor(q));
    }
  }
  dx[i] = T(sum);
}

// ---- what is taken

Refusal accepts_max_forward(const MaxPool2dForward& op, const Context& /*context*/) {
  if (op.index && !same_dense_order(op.index, op.y)) return "the index does not lie like y";
  return refuse_images(op.x, op.y);
}
Refusal accepts_max_backward(const MaxPool2dBackward& op, const Context& /*context*/) {
  if (!same_dense_order(op.index, op.dy)) return "the index does not lie like dy";
  return refuse_images(op.dy, op.dx);
}
Refusal accepts_max_forward_vector(const MaxPool2dForward& op, const Context& context) {
  if (Refusal refusal = accepts_max_forward(op, context); !refusal.empty()) return refusal;
  if (!is_aligned(op.index)) return "the index does not begin at 16 bytes";
  return refuse_eights(op.x, op.y);
}
Refusal accepts_max_backward_vector(const MaxPool2dBackward& op, const Context& context) {
  if (Refusal refusal = accepts_max_backward(op, context); !refusal.empty()) return refusal;
  if (!is_aligned(op.index)) return "the index does not begin at 16 bytes";
  return refuse_eights(op.dy, op.dx);
}

template <bool vector, class Op>
Refusal accepts_forward(const Op& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_images(op.x, op.y); !refusal.empty()) return refusal;
  return vector ? refuse_eights(op.x, op.y) : "";
}
template <bool vector, class Op>
Refusal accepts_backward(const Op& op, const Context& /*context*/) {
  if (Refusal refusal = refuse_images(op.dy, op.dx); !refusal.empty()) return refusal;
  return vector ? refuse_eights(op.dy, op.dx) : "";
}

// ---- how it runs

void max_forward(const MaxPool2dForward& op, Workspace /*workspace*/, Stream& stream) {
  const Layout layout = common_layout(op.x, op.y);
  const Image in = Image::of(op.x, layout), out = Image::of(op.y, layout);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(max_forward_naive<T>, {blocks_for(out.numel(), threads), threads, 0, stream},
           op.x.as<T>(), op.y.as<T>(), op.index.as<int32_t>(), in, out,
           axes_of<int64_t>(op.x, op.y, op.params), out.numel());
  });
}

void max_forward_eights(const MaxPool2dForward& op, Workspace /*workspace*/, Stream& stream) {
  const Pixels in = Pixels::of(op.x), out = Pixels::of(op.y);
  const PoolGrid grid = PoolGrid::over(out);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_overlapped(max_forward_vector<T>, {grid.grid, grid.block, 0, stream}, op.x.as<T>(),
                      op.y.as<T>(), op.index.as<int32_t>(), in, out,
                      axes_of<int>(op.x, op.y, op.params), grid.across);
  });
}

void max_backward(const MaxPool2dBackward& op, Workspace /*workspace*/, Stream& stream) {
  const Layout layout = common_layout(op.dx, op.dy);
  const Image in = Image::of(op.dx, layout), out = Image::of(op.dy, layout);
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(max_backward_naive<T>, {blocks_for(in.numel(), threads), threads, 0, stream},
           op.dy.as<T>(), op.index.as<int32_t>(), op.dx.as<T>(), in, out,
           axes_of<int64_t>(op.dx, op.dy, op.params), in.numel());
  });
}

void max_backward_eights(const MaxPool2dBackward& op, Workspace /*workspace*/, Stream& stream) {
  const Pixels in = Pixels::of(op.dx), out = Pixels::of(op.dy);
  const PoolGrid grid = PoolGrid::over(patches_of(in));
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(max_backward_vector<T>, {grid.grid, grid.block, 0, stream}, op.dy.as<T>(),
           op.index.as<int32_t>(), op.dx.as<T>(), in, out, axes_of<int>(op.dx, op.dy, op.params),
           grid.across);
  });
}

/// A plain average has params, an adaptive one has not.
template <class Int, class Op, class In, class Out>
auto average_axes(const Op& op, const In& input, const Out& output) {
  if constexpr (requires { op.params; }) {
    return axes_of<Int>(input, output, op.params);
  } else {
    return axes_of<Int>(input, output);
  }
}

template <class Op>
void average_forward(const Op& op, Workspace /*workspace*/, Stream& stream) {
  const Layout layout = common_layout(op.x, op.y);
  const Image in = Image::of(op.x, layout), out = Image::of(op.y, layout);
  const auto axes = average_axes<int64_t>(op, op.x, op.y);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(average_forward_naive<T, std::decay_t<decltype(axes.h)>>,
           {blocks_for(out.numel(), threads), threads, 0, stream}, op.x.template as<T>(),
           op.y.template as<T>(), in, out, axes, out.numel());
  });
}

template <class Op>
void average_forward_eights(const Op& op, Workspace /*workspace*/, Stream& stream) {
  const Pixels in = Pixels::of(op.x), out = Pixels::of(op.y);
  const PoolGrid grid = PoolGrid::over(out);
  const auto axes = average_axes<int>(op, op.x, op.y);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_overlapped(average_forward_vector<T, std::decay_t<decltype(axes.h)>>,
                      {grid.grid, grid.block, 0, stream}, op.x.template as<T>(),
                      op.y.template as<T>(), in, out, axes, grid.across);
  });
}

template <class Op>
void average_backward(const Op& op, Workspace /*workspace*/, Stream& stream) {
  const Layout layout = common_layout(op.dx, op.dy);
  const Image in = Image::of(op.dx, layout), out = Image::of(op.dy, layout);
  const auto axes = average_axes<int64_t>(op, op.dx, op.dy);
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(average_backward_naive<T, std::decay_t<decltype(axes.h)>>,
           {blocks_for(in.numel(), threads), threads, 0, stream}, op.dy.template as<T>(),
           op.dx.template as<T>(), in, out, axes, in.numel());
  });
}

template <class Op>
void average_backward_eights(const Op& op, Workspace /*workspace*/, Stream& stream) {
  const Pixels in = Pixels::of(op.dx), out = Pixels::of(op.dy);
  const PoolGrid grid = PoolGrid::over(in);
  const auto axes = average_axes<int>(op, op.dx, op.dy);
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(average_backward_vector<T, std::decay_t<decltype(axes.h)>>,
           {grid.grid, grid.block, 0, stream}, op.dy.template as<T>(), op.dx.template as<T>(), in,
           out, axes, grid.across);
  });
}

template <class Op>
void add_vector(Registry& registry, Refusal (*accepts)(const Op&, const Context&),
                void (*run)(const Op&, Workspace, Stream&)) {
  add<Op>(registry, {.name = "cuda/vector", .accepts = accepts, .run = run});
}
template <class Op>
void add_naive(Registry& registry, Refusal (*accepts)(const Op&, const Context&),
               void (*run)(const Op&, Workspace, Stream&)) {
  add<Op>(registry, {.name = "cuda/naive", .place = place::plain, .accepts = accepts, .run = run});
}

template <class Forward, class Backward>
void add_average(Registry& registry) {
  add_vector<Forward>(registry, accepts_forward<true>, average_forward_eights);
  add_naive<Forward>(registry, accepts_forward<false>, average_forward);
  add_vector<Backward>(registry, accepts_backward<true>, average_backward_eights);
  add_naive<Backward>(registry, accepts_backward<false>, average_backward);
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_pool2d(Registry& registry) {
  using namespace cuda;
  add_vector<MaxPool2dForward>(registry, accepts_max_forward_vector, max_forward_eights);
  add_naive<MaxPool2dForward>(registry, accepts_max_forward, max_forward);
  add_vector<MaxPool2dBackward>(registry, accepts_max_backward_vector, max_backward_eights);
  add_naive<MaxPool2dBackward>(registry, accepts_max_backward, max_backward);
  add_average<AvgPool2dForward, AvgPool2dBackward>(registry);
  add_average<AdaptiveAvgPool2dForward, AdaptiveAvgPool2dBackward>(registry);
}

}  // namespace burin
