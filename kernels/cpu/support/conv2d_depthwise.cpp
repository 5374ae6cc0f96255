#include "burin/kernels/cpu/support/conv2d_depthwise.h"

#include <algorithm>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/conv2d_lattice.h"
#include "burin/kernels/cpu/support/depthwise_seven.h"
#include "burin/kernels/cpu/support/epilogue.h"
#include "burin/kernels/cpu/support/vector.h"

namespace burin::cpu {
namespace {

/// Filters as rows of channels: packed[r · S + s, c].
template <class T>
void pack_filters(const ConstView& w, int64_t row, float* packed) {
  const int64_t C = w.dim(0), R = w.dim(2), S = w.dim(3);
  for (int64_t tap = 0; tap < R * S; ++tap) {
    const T* const from = w.as<T>() + tap / S * w.strides[2] + tap % S * w.strides[3];
    for (int64_t c = 0; c < C; ++c) {
      packed[tap * row + c] = static_cast<float>(from[c * w.strides[0]]);
    }
  }
}

int64_t packed_row(int64_t channels) {
  return round_up(channels, lanes);
}

/// A tap that meets the image: where it reads, and its row of filters.
template <class T>
struct Reading {
  const T* pixel;
  const float* filters;
};

/// The pixels of one row of a lattice in image n.
template <class T>
void correlate_row(const Correlation& c, const Lattice& lattice, int64_t n, int64_t i,
                   const float* packed) {
  constexpr int64_t room = 64;
  const int64_t C = c.destination.dim(1), H = c.source.dim(2), W = c.source.dim(3);
  const int64_t row = packed_row(C), S = c.w.dim(3);
  const Strides& to = c.destination.strides;
  std::vector<Reading<T>> readings(lattice.taps.size());
  for (int64_t j = 0; j < lattice.columns; ++j) {
    size_t count = 0;
    for (const Tap& tap : lattice.taps) {
      const int64_t h = i * lattice.source_step_h + tap.dh;
      const int64_t w = j * lattice.source_step_w + tap.dw;
      if (h < 0 || h >= H || w < 0 || w >= W) continue;
      readings[count++] = {c.source.as<T>() + ((n * H + h) * W + w) * C,
                           packed + (tap.r * S + tap.s) * row};
    }
    const int64_t pixel = n * to[0] + (lattice.first_h + i * lattice.step_h) * to[2] +
                          (lattice.first_w + j * lattice.step_w) * to[3];
    for (int64_t first = 0; first < C; first += room) {
      const int64_t channels = std::min(room, C - first);
      float sums[room];
      for (int64_t k = 0; k < channels; k += lanes) {
        const int64_t left = std::min<int64_t>(lanes, channels - k);
        Vector sum{};
        for (size_t r = 0; r < count; ++r) {
          sum += load_channels(readings[r].pixel + first + k, left) *
                 load(readings[r].filters + first + k);
        }
        store(sums + k, sum);
      }
      const int64_t offset = pixel + first;
      finish_channels(sums, EpilogueAt<T>::from(c.epilogue, offset, first),
                      c.destination.as<T>() + offset, channels);
    }
  }
}

/// The same where depthwise_seven.h serves: seven columns at a time.
template <class T>
void correlate_row_of_seven(const Correlation& c, const Lattice& lattice, int64_t n, int64_t i,
                            const std::vector<FilterRow>& filter) {
  const int64_t C = c.destination.dim(1), H = c.source.dim(2), W = c.source.dim(3);
  const int64_t dw = leftmost(lattice);
  const Strides& to = c.destination.strides;
  for (int64_t j = 0; j < lattice.columns; j += seven) {
    const int64_t columns = std::min<int64_t>(seven, lattice.columns - j);
    const int64_t pixel = n * to[0] + (lattice.first_h + i * lattice.step_h) * to[2] +
                          (lattice.first_w + j * lattice.step_w) * to[3];
    for (int64_t k = 0; k < C; k += lanes) {
      Vector sums[seven] = {};
      for (const FilterRow& row : filter) {
        const int64_t h = i + row.dh;
        if (h < 0 || h >= H) continue;
        const PixelRow<T> x = {c.source.as<T>() + (n * H + h) * W * C + k, W, C};
        add_filter_row(sums, x, j + dw, row.first + k, row.step);
      }
      for (int64_t q = 0; q < columns; ++q) {
        float values[lanes];
        store(values, sums[q]);
        const int64_t offset = pixel + q * lattice.step_w * to[3] + k;
        finish_channels(values, EpilogueAt<T>::from(c.epilogue, offset, k),
                        c.destination.as<T>() + offset, lanes);
      }
    }
  }
}

void correlate(const Correlation& c, Workspace workspace) {
  const int64_t C = c.destination.dim(1), N = c.destination.dim(0);
  const int64_t row = packed_row(C);
  float* const packed = workspace.take<float>(static_cast<size_t>(c.w.dim(2) * c.w.dim(3) * row));
  visit_floating(c.source.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    pack_filters<T>(c.w, row, packed);
    for (const Lattice& lattice : c.lattices) {
      std::vector<FilterRow> filter;
      if (C % lanes == 0) filter = rows_of_seven(lattice, packed, row, c.w.dim(3));
      parallel_for(N * lattice.rows, 1, [&](int64_t begin, int64_t end) {
        for (int64_t unit = begin; unit < end; ++unit) {
          const int64_t n = unit / lattice.rows, i = unit % lattice.rows;
          if (filter.empty()) {
            correlate_row<T>(c, lattice, n, i, packed);
          } else {
            correlate_row_of_seven<T>(c, lattice, n, i, filter);
          }
        }
      });
    }
  });
}

/// Adds image n's share of dw to sums[r · S + s], for `count` ≤ lanes channels from c on.
template <class T>
void accumulate_image(const Conv2dBackwardWeight& op, int64_t n, int64_t c, int64_t count,
                      Vector* sums) {
  const Conv2dParams& p = op.params;
  const int64_t C = op.x.dim(1), H = op.x.dim(2), W = op.x.dim(3);
  const int64_t P = op.dy.dim(2), Q = op.dy.dim(3), R = op.dw.dim(2), S = op.dw.dim(3);
  for (int64_t i = 0; i < P * Q * R; ++i) {
    const int64_t row = i / (Q * R), r = i / Q % R, q = i % Q;
    const int64_t h = row * p.stride_h - p.pad_h + r * p.dilation_h;
    if (h < 0 || h >= H) continue;
    const Vector dy = load_channels(op.dy.as<T>() + ((n * P + row) * Q + q) * C + c, count);
    for (int64_t s = 0; s < S; ++s) {
      const int64_t w = q * p.stride_w - p.pad_w + s * p.dilation_w;
      if (w < 0 || w >= W) continue;
      sums[r * S + s] += dy * load_channels(op.x.as<T>() + ((n * H + h) * W + w) * C + c, count);
    }
  }
}

/// The same for a full vector of channels where depthwise_seven.h serves.
template <class T>
void accumulate_image_of_seven(const Conv2dBackwardWeight& op, int64_t n, int64_t c, Vector* sums) {
  const Conv2dParams& p = op.params;
  const int64_t C = op.x.dim(1), H = op.x.dim(2), W = op.x.dim(3);
  const int64_t P = op.dy.dim(2), Q = op.dy.dim(3);
  for (int64_t row = 0; row < P; ++row) {
    const PixelRow<T> dy = {op.dy.as<T>() + (n * P + row) * Q * C + c, Q, C};
    for (int64_t r = 0; r < op.dw.dim(2); ++r) {
      const int64_t h = row - p.pad_h + r;
      if (h < 0 || h >= H) continue;
      const PixelRow<T> x = {op.x.as<T>() + (n * H + h) * W * C + c, W, C};
      add_weight_row(sums + r * seven, dy, x, -p.pad_w);
    }
  }
}

bool of_seven(const Conv2dBackwardWeight& op) {
  const Conv2dParams& p = op.params;
  return op.dw.dim(3) == seven && p.stride_h == 1 && p.stride_w == 1 && p.dilation_h == 1 &&
         p.dilation_w == 1;
}

template <class T>
void backward_weight(const Conv2dBackwardWeight& op) {
  const int64_t C = op.x.dim(1), taps = op.dw.dim(2) * op.dw.dim(3), S = op.dw.dim(3);
  parallel_for(ceil_div(C, lanes), 1, [&](int64_t begin, int64_t end) {
    std::vector<Vector> sums(static_cast<size_t>(taps)), totals(static_cast<size_t>(taps));
    for (int64_t c = begin * lanes; c < std::min(C, end * lanes); c += lanes) {
      const int64_t count = std::min<int64_t>(lanes, C - c);
      std::fill(totals.begin(), totals.end(), Vector{});
      for (int64_t n = 0; n < op.x.dim(0); ++n) {
        std::fill(sums.begin(), sums.end(), Vector{});
        if (count == lanes && of_seven(op)) {
          accumulate_image_of_seven<T>(op, n, c, sums.data());
        } else {
          accumulate_image<T>(op, n, c, count, sums.data());
        }
        for (size_t tap = 0; tap < sums.size(); ++tap) totals[tap] += sums[tap];
      }
      visit_floating(op.dw.dtype, [&](auto tag) {
        using U = typename decltype(tag)::type;
        for (int64_t tap = 0; tap < taps; ++tap) {
          const Vector& sum = totals[static_cast<size_t>(tap)];
          U* const to = op.dw.as<U>() + c * op.dw.strides[0] + tap / S * op.dw.strides[2] +
                        tap % S * op.dw.strides[3];
          for (int64_t i = 0; i < count; ++i) to[i * op.dw.strides[0]] = U(sum[i]);
        }
      });
    }
  });
}

Refusal accepts(const ConstView& in, const ConstView& w, const ConstView& out, int64_t groups) {
  if (!is_floating(in.dtype)) return str("dtype ", in.dtype);
  if (w.dim(1) != 1 || w.dim(0) != groups) {
    return str(groups, " groups of filters ", w.shape, ": not one filter a channel");
  }
  if (!in.is_dense(Layout::nhwc) || !out.is_dense(Layout::nhwc)) return "images are not nhwc";
  return {};
}

size_t packed_bytes(const ConstView& w) {
  return Workspace::room_for<float>(
      static_cast<size_t>(w.dim(2) * w.dim(3) * packed_row(w.dim(0))));
}

}  // namespace

Refusal depthwise_accepts(const Conv2dForward& op, const Context& /*context*/) {
  if (op.w.dtype != op.x.dtype) return str("x is ", op.x.dtype, ", w is ", op.w.dtype);
  if (op.y.dtype != op.x.dtype) return str("x is ", op.x.dtype, ", y is ", op.y.dtype);
  return accepts(op.x, op.w, op.y, op.params.groups);
}
size_t depthwise_workspace(const Conv2dForward& op, const Context& /*context*/) {
  return packed_bytes(op.w);
}
void depthwise_run(const Conv2dForward& op, Workspace workspace, Stream& /*stream*/) {
  correlate(Correlation::from(op), workspace);
}

Refusal depthwise_accepts(const Conv2dBackwardData& op, const Context& /*context*/) {
  if (op.w.dtype != op.dy.dtype) return str("dy is ", op.dy.dtype, ", w is ", op.w.dtype);
  if (op.dx.dtype != op.dy.dtype) return str("dy is ", op.dy.dtype, ", dx is ", op.dx.dtype);
  return accepts(op.dy, op.w, op.dx, op.params.groups);
}
size_t depthwise_workspace(const Conv2dBackwardData& op, const Context& /*context*/) {
  return packed_bytes(op.w);
}
void depthwise_run(const Conv2dBackwardData& op, Workspace workspace, Stream& /*stream*/) {
  correlate(Correlation::from(op), workspace);
}

Refusal depthwise_accepts(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  if (op.x.dtype != op.dy.dtype) return str("dy is ", op.dy.dtype, ", x is ", op.x.dtype);
  if (op.dw.dtype != op.x.dtype && op.dw.dtype != DType::f32) {
    return str("x is ", op.x.dtype, ", dw is ", op.dw.dtype);
  }
  return accepts(op.x, op.dw, op.dy, op.params.groups);
}
size_t depthwise_workspace(const Conv2dBackwardWeight& /*op*/, const Context& /*context*/) {
  return 0;
}
Refusal depthwise_seven_accepts(const Conv2dBackwardWeight& op, const Context& context) {
  if (Refusal refusal = depthwise_accepts(op, context); !refusal.empty()) return refusal;
  if (!of_seven(op)) return "the filter is not seven wide with steps of one pixel";
  return op.x.dim(1) % lanes == 0 ? "" : str(op.x.dim(1), " channels do not fill vectors");
}
void depthwise_run(const Conv2dBackwardWeight& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.x.dtype, [&](auto tag) { backward_weight<typename decltype(tag)::type>(op); });
}

}  // namespace burin::cpu
