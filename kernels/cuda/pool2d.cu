// Pooling, handwritten. `--impl max_pool2d=cuda/<name>` runs one.
//   naive   one thread per element of the result, either layout
//   vector  nhwc: a thread owns 16 bytes of channels of one position, so a window is read in
//   packets
// Backward gathers: an element of dx looks at the windows it lies in. No atomics, one order.
#include "burin/kernels/pool2d.h"

#include "burin/kernels/cuda/support/block_reduce.h"
#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/image_geometry.h"
#include "burin/kernels/cuda/support/packet.h"
#include "burin/kernels/cuda/support/pool_axis.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;

template <class T>
__global__ void max_forward_naive(const T* x, T* y, int32_t* index, Image in, Image out,
                                  Axes<PoolAxis> axes, int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = out.position(i);
  const Range rows = axes.h.window(at.h), columns = axes.w.window(at.w);
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
                                   Axes<PoolAxis> axes, int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = in.position(i);
  const Range rows = axes.h.outputs_over(at.h), columns = axes.w.outputs_over(at.w);
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

/// Variant `vector`: thread i owns packet i of y.
template <class T>
__global__ void max_forward_vector(const T* x, T* y, int32_t* index, Image in, Image out,
                                   Axes<PoolAxis> axes, int64_t packets) {
  constexpr int n = Packet<T>::size;
  const int64_t packet = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (packet >= packets) return;
  const Image::Position at = out.position(packet * n);
  const Range rows = axes.h.window(at.h), columns = axes.w.window(at.w);
  float best[n];
  int32_t chosen[n];
  for (int k = 0; k < n; ++k) {
    best[k] = -INFINITY;
    chosen[k] = static_cast<int32_t>(rows.begin * in.W + columns.begin);
  }

  for (int64_t h = rows.begin; h < rows.end; ++h) {
    for (int64_t w = columns.begin; w < columns.end; ++w) {
      const Packet<T> values = *reinterpret_cast<const Packet<T>*>(x + in.offset(at.n, at.c, h, w));
      for (int k = 0; k < n; ++k) {
        const float value = float(values.at[k]);
        if (value > best[k] || value != value) {
          best[k] = value;
          chosen[k] = static_cast<int32_t>(h * in.W + w);
        }
      }
    }
  }

  Packet<T> result;
  for (int k = 0; k < n; ++k) result.at[k] = T(best[k]);
  *reinterpret_cast<Packet<T>*>(y + packet * n) = result;
  if (index == nullptr) return;
  for (int k = 0; k < n; ++k) index[packet * n + k] = chosen[k];
}

template <class T>
__global__ void max_backward_vector(const T* dy, const int32_t* index, T* dx, Image in, Image out,
                                    Axes<PoolAxis> axes, int64_t packets) {
  constexpr int n = Packet<T>::size;
  const int64_t packet = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (packet >= packets) return;
  const Image::Position at = in.position(packet * n);
  const Range rows = axes.h.outputs_over(at.h), columns = axes.w.outputs_over(at.w);
  const int32_t here = static_cast<int32_t>(at.h * in.W + at.w);
  float sum[n] = {};
  for (int64_t p = rows.begin; p < rows.end; ++p) {
    for (int64_t q = columns.begin; q < columns.end; ++q) {
      const int64_t o = out.offset(at.n, at.c, p, q);
      const Packet<T> g = *reinterpret_cast<const Packet<T>*>(dy + o);
      for (int k = 0; k < n; ++k) {
        if (index[o + k] == here) sum[k] += float(g.at[k]);
      }
    }
  }
  Packet<T> result;
  for (int k = 0; k < n; ++k) result.at[k] = T(sum[k]);
  *reinterpret_cast<Packet<T>*>(dx + packet * n) = result;
}

template <class T, class Axis>
__global__ void average_forward(const T* x, T* y, Image in, Image out, Axes<Axis> axes,
                                int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = out.position(i);
  const Range rows = axes.h.window(at.h), columns = axes.w.window(at.w);
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
__global__ void average_backward(const T* dy, T* dx, Image in, Image out, Axes<Axis> axes,
                                 int64_t count) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const Image::Position at = in.position(i);
  const Range rows = axes.h.outputs_over(at.h), columns = axes.w.outputs_over(at.w);
  float sum = 0;
  for (int64_t p = rows.begin; p < rows.end; ++p) {
    for (int64_t q = columns.begin; q < columns.end; ++q) {
      sum += float(dy[out.offset(at.n, at.c, p, q)]) / (axes.h.divisor(p) * axes.w.divisor(q));
    }
  }
  dx[i] = T(sum);
}

Refusal accepts_max_forward(const MaxPool2dForward& op, const Context& /*context*/) {
  if (op.index && !same_dense_order(op.index, op.y)) return "the index does not lie like y";
  return refuse_images(op.x, op.y);
}
Refusal accepts_max_backward(const MaxPool2dBackward& op, const Context& /*context*/) {
  if (!same_dense_order(op.index, op.dy)) return "the index does not lie like dy";
  return refuse_images(op.dy, op.dx);
}

/// Whether channels come in whole, aligned packets.
template <class A, class B>
Refusal refuse_packets(const A& input, const B& output) {
  if (common_layout(input, output) != Layout::nhwc) return "not nhwc";
  const int64_t size = 16 / static_cast<int64_t>(size_of(input.dtype));
  if (input.dim(1) % size != 0) {
    return str(input.dim(1), " channels, no multiple of ", size);
  }
  return is_aligned(input) && is_aligned(output) ? "" : "an image does not begin at 16 bytes";
}
Refusal accepts_max_forward_vector(const MaxPool2dForward& op, const Context& context) {
  if (Refusal refusal = accepts_max_forward(op, context); !refusal.empty()) return refusal;
  return refuse_packets(op.x, op.y);
}
Refusal accepts_max_backward_vector(const MaxPool2dBackward& op, const Context& context) {
  if (Refusal refusal = accepts_max_backward(op, context); !refusal.empty()) return refusal;
  return refuse_packets(op.dy, op.dx);
}

template <bool vector>
void max_forward(const MaxPool2dForward& op, Workspace /*workspace*/, Stream& stream) {
  const Layout layout = common_layout(op.x, op.y);
  const Image in = Image::of(op.x, layout), out = Image::of(op.y, layout);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int64_t count = out.numel() / (vector ? Packet<T>::size : 1);
    launch(vector ? max_forward_vector<T> : max_forward_naive<T>,
           {blocks_for(count, threads), threads, 0, stream}, op.x.as<T>(), op.y.as<T>(),
           op.index.as<int32_t>(), in, out, axes_of(op.x, op.y, op.params), count);
  });
}

template <bool vector>
void max_backward(const MaxPool2dBackward& op, Workspace /*workspace*/, Stream& stream) {
  const Layout layout = common_layout(op.dx, op.dy);
  const Image in = Image::of(op.dx, layout), out = Image::of(op.dy, layout);
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int64_t count = in.numel() / (vector ? Packet<T>::size : 1);
    launch(vector ? max_backward_vector<T> : max_backward_naive<T>,
           {blocks_for(count, threads), threads, 0, stream}, op.dy.as<T>(), op.index.as<int32_t>(),
           op.dx.as<T>(), in, out, axes_of(op.dx, op.dy, op.params), count);
  });
}

/// A plain average has params, an adaptive one has not.
template <class Op, class In, class Out>
auto average_axes(const Op& op, const In& input, const Out& output) {
  if constexpr (requires { op.params; }) {
    return axes_of(input, output, op.params);
  } else {
    return axes_of(input, output);
  }
}

template <class Op>
Refusal accepts_forward(const Op& op, const Context& /*context*/) {
  return refuse_images(op.x, op.y);
}
template <class Op>
Refusal accepts_backward(const Op& op, const Context& /*context*/) {
  return refuse_images(op.dy, op.dx);
}

template <class Op>
void run_average_forward(const Op& op, Workspace /*workspace*/, Stream& stream) {
  const Layout layout = common_layout(op.x, op.y);
  const Image in = Image::of(op.x, layout), out = Image::of(op.y, layout);
  const auto axes = average_axes(op, op.x, op.y);
  visit_element(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(average_forward<T, std::decay_t<decltype(axes.h)>>,
           {blocks_for(out.numel(), threads), threads, 0, stream}, op.x.template as<T>(),
           op.y.template as<T>(), in, out, axes, out.numel());
  });
}

template <class Op>
void run_average_backward(const Op& op, Workspace /*workspace*/, Stream& stream) {
  const Layout layout = common_layout(op.dx, op.dy);
  const Image in = Image::of(op.dx, layout), out = Image::of(op.dy, layout);
  const auto axes = average_axes(op, op.dx, op.dy);
  visit_element(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(average_backward<T, std::decay_t<decltype(axes.h)>>,
           {blocks_for(in.numel(), threads), threads, 0, stream}, op.dy.template as<T>(),
           op.dx.template as<T>(), in, out, axes, in.numel());
  });
}

template <class Op>
void add_naive(Registry& registry, Refusal (*accepts)(const Op&, const Context&),
               void (*run)(const Op&, Workspace, Stream&)) {
  add<Op>(registry, {.name = "cuda/naive", .place = place::plain, .accepts = accepts, .run = run});
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_pool2d(Registry& registry) {
  using namespace cuda;
  add<MaxPool2dForward>(
      registry,
      {.name = "cuda/vector", .accepts = accepts_max_forward_vector, .run = max_forward<true>});
  add_naive<MaxPool2dForward>(registry, accepts_max_forward, max_forward<false>);
  add<MaxPool2dBackward>(
      registry,
      {.name = "cuda/vector", .accepts = accepts_max_backward_vector, .run = max_backward<true>});
  add_naive<MaxPool2dBackward>(registry, accepts_max_backward, max_backward<false>);
  add_naive<AvgPool2dForward>(registry, accepts_forward, run_average_forward);
  add_naive<AvgPool2dBackward>(registry, accepts_backward, run_average_backward);
  add_naive<AdaptiveAvgPool2dForward>(registry, accepts_forward, run_average_forward);
  add_naive<AdaptiveAvgPool2dBackward>(registry, accepts_backward, run_average_backward);
}

}  // namespace burin
