// Batch normalisation, ReLU and max pooling in one, handwritten. What it costs is memory traffic:
//   forward   reads x once for the statistics and once to pool
//   backward  reads what is pooled for the sums; then x once, and what is pooled again, for dx
// From plain to fast:
//   naive   one element at a time, either layout
//   vector  nhwc: a vector of channels at a time; its largest or its sum stays in registers
// Backward gathers: an element of dx looks at the windows it lies in.
#include "burin/kernels/batch_norm_max_pool.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "burin/kernels/cpu/support/batch_norm_gradients.h"
#include "burin/kernels/cpu/support/batch_norm_statistics.h"
#include "burin/kernels/cpu/support/convert.h"
#include "burin/kernels/cpu/support/planes.h"
#include "burin/kernels/cpu/support/pool_axes.h"
#include "burin/kernels/cpu/support/vector.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

/// Both images, and the windows between them.
struct Pooling {
  Planes in, out;
  Axes axes;
  int64_t C;

  static Pooling of(const ConstView& x, const ConstView& pooled, const Pool2dParams& params) {
    const Layout layout = common_layout(x, pooled);
    return {Planes::of(x, layout), Planes::of(pooled, layout), axes_of(x, pooled, params),
            x.dim(1)};
  }
  /// The channel of the k-th number at any position of a plane.
  int64_t channel(int64_t plane, int64_t k) const { return in.depth == 1 ? plane % C : k; }
  /// What the index says of row h and column w in the window of output (p, q).
  int64_t number(int64_t h, int64_t w, int64_t p, int64_t q) const {
    const int64_t row = h - (p * axes.h.stride - axes.h.pad);
    return row * axes.w.kernel + w - (q * axes.w.stride - axes.w.pad);
  }
};

// ---- forward

/// Normalising keeps the order of x, or turns it around where its factor is below 0: so the largest
/// is found in x, and only it is normalised. Nothing need be said of NaN: one in a channel makes
/// its statistics NaN, and then whatever is chosen gives NaN.
template <class T>
struct Forward {
  Forward(const BatchNormMaxPoolTrain& op, const float* scale_of_channels)
      : x(op.x.as<T>()),
        mean(op.mean.as<float>()),
        scale(scale_of_channels),
        bias(op.bias.as<float>()),
        y(op.y.as<T>()),
        chosen(op.chosen.as<T>()),
        index(op.index.as<uint8_t>()) {}
  const T* x;
  const float* mean;
  const float* scale;  // inverse_std · weight
  const float* bias;
  T* y;
  T* chosen;
  uint8_t* index;
};

template <class T>
void pool_row_naive(const Forward<T>& op, const Pooling& pool, int64_t plane, int64_t p) {
  const Range rows = pool.axes.h.window(p);
  for (int64_t q = 0; q < pool.out.W; ++q) {
    const Range columns = pool.axes.w.window(q);
    for (int64_t k = 0; k < pool.out.depth; ++k) {
      const int64_t c = pool.channel(plane, k), to = pool.out.offset(plane, p, q) + k;
      const float direction = op.scale[c] < 0 ? -1.0f : 1.0f;
      int64_t largest = pool.in.offset(plane, rows.begin, columns.begin) + k;
      int64_t number = pool.number(rows.begin, columns.begin, p, q);
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        for (int64_t w = columns.begin; w < columns.end; ++w) {
          const int64_t at = pool.in.offset(plane, h, w) + k;
          if (direction * static_cast<float>(op.x[at]) >
              direction * static_cast<float>(op.x[largest])) {
            largest = at;
            number = pool.number(h, w, p, q);
          }
        }
      }
      const float centred = static_cast<float>(op.x[largest]) - op.mean[c];
      const float normal = centred * op.scale[c] + op.bias[c];
      op.y[to] = T(normal <= 0 ? 0.0f : normal);  // NaN passes
      op.chosen[to] = op.x[largest];
      op.index[to] =
          static_cast<float>(op.y[to]) <= 0 ? stopped_by_relu : static_cast<uint8_t>(number);
    }
  }
}

template <class T>
void pool_row(const Forward<T>& op, const Pooling& pool, int64_t plane, int64_t p) {
  const Range rows = pool.axes.h.window(p);
  for (int64_t q = 0; q < pool.out.W; ++q) {
    const Range columns = pool.axes.w.window(q);
    const int64_t to = pool.out.offset(plane, p, q);
    for (int64_t c = 0; c < pool.C; c += lanes) {
      const int64_t count = std::min<int64_t>(lanes, pool.C - c);
      const Vector mean = load_channels(op.mean + c, count);
      const Vector scale = load_channels(op.scale + c, count);
      const Vector bias = load_channels(op.bias + c, count);
      const Vector direction = scale < 0.0f ? Vector{} - 1.0f : Vector{} + 1.0f;
      Vector largest = Vector{} - std::numeric_limits<float>::infinity(), number{};
      for (int64_t h = rows.begin; h < rows.end; ++h) {
        const T* const row = op.x + pool.in.offset(plane, h, 0) + c;
        float at = static_cast<float>(pool.number(h, columns.begin, p, q));
        for (int64_t w = columns.begin; w < columns.end; ++w, ++at) {
          const Vector value = load_channels(row + w * pool.C, count) * direction;
          const auto is_larger = value > largest;
          largest = is_larger ? value : largest;
          number = is_larger ? Vector{} + at : number;
        }
      }
      const Vector chosen = largest * direction;
      const Vector normal = (chosen - mean) * scale + bias;
      store_channels(op.chosen + to + c, chosen, count);
      store_channels(op.y + to + c, normal <= 0.0f ? Vector{} : normal, count);  // NaN passes
      const Vector y = load_channels(op.y + to + c, count);                      // as stored
      store_channels(op.index + to + c, y <= 0.0f ? Vector{} + stopped_by_relu : number, count);
    }
  }
}

size_t train_workspace(const BatchNormMaxPoolTrain& op, const Context& /*context*/) {
  const Geometry g = geometry_of(op.x);
  return Workspace::room_for<float>(g.channels) + channel_moments_bytes(g);
}

template <bool vector>
void train(const BatchNormMaxPoolTrain& op, Workspace workspace, Stream& /*stream*/) {
  const Geometry g = geometry_of(op.x);
  float* const scale = workspace.take<float>(g.channels);
  keep_statistics(op, g, workspace, scale);
  const Pooling pool = Pooling::of(op.x, op.y, op.params);
  visit_floating(op.x.dtype, [&](auto tag) {
    const Forward<typename decltype(tag)::type> forward(op, scale);
    for_each_line(pool.out, [&](int64_t plane, int64_t p) {
      if constexpr (vector) {
        pool_row(forward, pool, plane, p);
      } else {
        pool_row_naive(forward, pool, plane, p);
      }
    });
  });
}

// ---- backward

/// dy where the ReLU let it pass, as floats: what PassedGradient is where there is a mask.
template <class T>
struct PooledGradient {
  const T* dy;
  const uint8_t* index;

  const float* load(int64_t begin, int64_t end, float* buffer) const {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      const float value = static_cast<float>(dy[i]);
      buffer[i - begin] = index[i] == stopped_by_relu ? 0.0f : value;
    }
    return buffer;
  }
};

template <class T>
struct Backward {
  Backward(const BatchNormMaxPoolBackward& op, const GradientFactors& factors_of_channels)
      : dy(op.dy.as<T>()),
        index(op.index.as<uint8_t>()),
        x(op.x.as<T>()),
        dx(op.dx.as<T>()),
        factors(factors_of_channels) {}
  const T* dy;
  const uint8_t* index;
  const T* x;
  T* dx;
  GradientFactors factors;
};

/// A window above an element of dx.
struct Above {
  int64_t output;  // where its first channel lies
  float number;    // what its index says if it chose the element
};

void find_windows(const Pooling& pool, int64_t plane, int64_t h, int64_t w,
                  std::vector<Above>& above) {
  const Range rows = pool.axes.h.outputs_over(h), columns = pool.axes.w.outputs_over(w);
  above.clear();
  for (int64_t p = rows.begin; p < rows.end; ++p) {
    for (int64_t q = columns.begin; q < columns.end; ++q) {
      above.push_back({pool.out.offset(plane, p, q), static_cast<float>(pool.number(h, w, p, q))});
    }
  }
}

template <class T>
void write_dx_naive(const Backward<T>& op, const Pooling& pool, int64_t plane, int64_t h) {
  std::vector<Above> above;
  for (int64_t w = 0; w < pool.in.W; ++w) {
    find_windows(pool, plane, h, w, above);
    for (int64_t k = 0; k < pool.in.depth; ++k) {
      const int64_t c = pool.channel(plane, k), at = pool.in.offset(plane, h, w) + k;
      float g = 0;
      for (const Above& window : above) {
        if (static_cast<float>(op.index[window.output + k]) == window.number) {
          g += static_cast<float>(op.dy[window.output + k]);
        }
      }
      const float centred = static_cast<float>(op.x[at]) - op.factors.mean[c];
      op.dx[at] = T(op.factors.scale[c] * g - op.factors.from_bias[c] -
                    centred * op.factors.from_weight[c]);
    }
  }
}

template <class T>
void write_dx(const Backward<T>& op, const Pooling& pool, int64_t plane, int64_t h) {
  std::vector<Above> above;
  const GradientFactors& f = op.factors;
  for (int64_t w = 0; w < pool.in.W; ++w) {
    find_windows(pool, plane, h, w, above);
    const int64_t at = pool.in.offset(plane, h, w);
    for (int64_t c = 0; c < pool.C; c += lanes) {
      const int64_t count = std::min<int64_t>(lanes, pool.C - c);
      Vector g{};
      for (const Above& window : above) {
        const Vector index = load_channels(op.index + window.output + c, count);
        const Vector dy = load_channels(op.dy + window.output + c, count);
        g += index == window.number ? dy : Vector{};
      }
      const Vector centred = load_channels(op.x + at + c, count) - load_channels(f.mean + c, count);
      const Vector dx = load_channels(f.scale + c, count) * g -
                        load_channels(f.from_bias + c, count) -
                        centred * load_channels(f.from_weight + c, count);
      store_channels(op.dx + at + c, dx, count);
    }
  }
}

size_t backward_workspace(const BatchNormMaxPoolBackward& op, const Context& /*context*/) {
  const Geometry pooled = geometry_of(op.dy);
  return BackwardWorkspace::bytes(pooled, Chunks(pooled));
}

template <bool vector>
void backward(const BatchNormMaxPoolBackward& op, Workspace memory, Stream& /*stream*/) {
  const Geometry pooled = geometry_of(op.dy);
  const Chunks chunks(pooled);
  const BackwardWorkspace workspace(op.mean.as<float>(), pooled, chunks, memory);
  const Pooling pool = Pooling::of(op.x, op.dy, op.params);
  visit_floating(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const GradientTerms<T, PooledGradient<T>> terms{
        {op.dy.as<T>(), op.index.as<uint8_t>()}, op.chosen.as<T>(), op.mean.as<float>()};
    sum_gradients(terms, pooled, chunks, workspace);
    write_parameter_gradients(op, geometry_of(op.x).per_channel(), workspace.threads[0].sums,
                              workspace.factors);
    const Backward<T> apply(op, workspace.factors);
    for_each_line(pool.in, [&](int64_t plane, int64_t h) {
      if constexpr (vector) {
        write_dx(apply, pool, plane, h);
      } else {
        write_dx_naive(apply, pool, plane, h);
      }
    });
  });
}

// ---- what is taken

/// Why these can't be the image, what is pooled of it and the choice, or empty.
template <bool vector>
Refusal refuse(const ConstView& x, const ConstView& pooled, const ConstView& index,
               const ConstView& chosen, const Pool2dParams& params) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (pooled.dtype != x.dtype) return str("dtypes ", x.dtype, " and ", pooled.dtype);
  if (x.rank() != 4 || pooled.rank() != 4) return "only [N, C, H, W]";
  if (x.numel() == 0 || pooled.numel() == 0) return "an empty image";
  if (params.kernel_h * params.kernel_w > stopped_by_relu) return "windows of over 255 elements";
  const auto both = [&](Layout layout) { return x.is_dense(layout) && pooled.is_dense(layout); };
  if (vector && !both(Layout::nhwc)) return "not nhwc";
  if (!both(Layout::nhwc) && !both(Layout::nchw)) return "images are not dense in one layout";
  if (!same_dense_order(index, pooled)) return "the index does not lie like what is pooled";
  if (chosen.dtype != x.dtype || !same_dense_order(chosen, pooled)) {
    return "the chosen elements differ from what is pooled in dtype or layout";
  }
  return "";
}

template <bool vector>
Refusal accepts_train(const BatchNormMaxPoolTrain& op, const Context& /*context*/) {
  return refuse<vector>(op.x, op.y, op.index, op.chosen, op.params);
}

template <bool vector>
Refusal accepts_backward(const BatchNormMaxPoolBackward& op, const Context& /*context*/) {
  if (op.dx.dtype != op.x.dtype || !same_dense_order(op.dx, op.x)) {
    return "dx differs from x in dtype or layout";
  }
  return refuse<vector>(op.x, op.dy, op.index, op.chosen, op.params);
}

template <bool vector>
void add_rung(Registry& registry, std::string_view name, int place) {
  registry.add<BatchNormMaxPoolTrain>({.name = name,
                                       .place = place,
                                       .accepts = accepts_train<vector>,
                                       .workspace_bytes = train_workspace,
                                       .run = train<vector>});
  registry.add<BatchNormMaxPoolBackward>({.name = name,
                                          .place = place,
                                          .accepts = accepts_backward<vector>,
                                          .workspace_bytes = backward_workspace,
                                          .run = backward<vector>});
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_batch_norm_max_pool(Registry& registry) {
  cpu::add_rung<true>(registry, "cpu/vector", place::handwritten);
  cpu::add_rung<false>(registry, "cpu/naive", place::plain);
}

}  // namespace burin
