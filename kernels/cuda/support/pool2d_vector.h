#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "burin/kernels/cuda/support/image_geometry.h"
#include "burin/kernels/cuda/support/launch.h"
#include "burin/kernels/cuda/support/packet.h"
#include "burin/kernels/cuda/support/pool_axis.h"

/// The `vector` rungs of pool2d.cu, nhwc: a thread owns eight channels of one pixel of the result.
/// Neighbouring pixels share a block, so that what their windows share comes from the L1 cache.

namespace burin::cuda {

inline constexpr int pool_threads = 256;

/// A dense nhwc image. Offsets inside one image of the batch fit an int.
struct Pixels {
  int N, C, H, W;

  template <class V>
  static Pixels of(const V& view) {
    return {static_cast<int>(view.dim(0)), static_cast<int>(view.dim(1)),
            static_cast<int>(view.dim(2)), static_cast<int>(view.dim(3))};
  }
  __device__ int64_t image(int n) const { return int64_t(n) * (H * W * C); }
  __device__ int offset(int h, int w) const { return (h * W + w) * C; }
};

/// Why two images do not suit these kernels, or empty.
inline std::string refuse_eights(const ConstView& input, const ConstView& output) {
  constexpr int64_t most = int64_t{1} << 31, most_blocks = 65535;  // in y and z of a grid
  if (common_layout(input, output) != Layout::nhwc) return "not nhwc";
  if (input.dim(1) % 8 != 0) return str(input.dim(1), " channels, no multiple of 8");
  if (!is_aligned(input) || !is_aligned(output)) return "an image does not begin at 16 bytes";
  for (const ConstView& view : {input, output}) {
    if (view.numel() / view.dim(0) >= most || view.dim(2) > most_blocks) return "too large a plane";
  }
  // Windows of adaptive pooling multiply the extents.
  const bool multiply = (input.dim(2) + 1) * (output.dim(2) + 1) < most &&
                        (input.dim(3) + 1) * (output.dim(3) + 1) < most;
  return multiply && input.dim(0) <= most_blocks ? "" : "too many images, rows or columns";
}

/// What a thread of the grid below owns.
struct EightOfPixel {
  int n, c, h, w;
};

/// Blocks of up to 8 × 4 pixels and as many channels as make 256 threads.
struct PoolGrid {
  dim3 grid, block;
  int across;  // blocks that cover the channels of a pixel; grid.x is a multiple of it

  static PoolGrid over(const Pixels& result) {
    const int columns = std::min(result.W, 8), rows = std::min(result.H, 4);
    const int eights = result.C / 8, widest = pool_threads / (columns * rows);
    const int across = (eights + widest - 1) / widest, width = (eights + across - 1) / across;
    const int blocks_in_row = (result.W + columns - 1) / columns;
    return {
        dim3(static_cast<unsigned>(across * blocks_in_row),
             static_cast<unsigned>((result.H + rows - 1) / rows), static_cast<unsigned>(result.N)),
        dim3(static_cast<unsigned>(width), static_cast<unsigned>(columns),
             static_cast<unsigned>(rows)),
        across};
  }
};

__device__ inline EightOfPixel eight_of_thread(int across) {
  const unsigned width = static_cast<unsigned>(across);
  const unsigned column = across == 1 ? blockIdx.x : blockIdx.x / width;
  const unsigned part = blockIdx.x - column * width;
  return {static_cast<int>(blockIdx.z), static_cast<int>(part * blockDim.x + threadIdx.x) * 8,
          static_cast<int>(blockIdx.y * blockDim.z + threadIdx.z),
          static_cast<int>(column * blockDim.y + threadIdx.y)};
}
__device__ inline bool is_inside(const EightOfPixel& at, const Pixels& image) {
  return at.c < image.C && at.h < image.H && at.w < image.W;
}

/// Eight neighbouring indices.
struct alignas(16) EightIndices {
  int32_t at[8];
};

using MaxAxes = Axes<PoolAxis<int>>;

template <class T>
__global__ void __launch_bounds__(pool_threads)
    max_forward_vector(const T* x, T* y, int32_t* index, Pixels in, Pixels out, MaxAxes axes,
                       int across) {
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  constexpr int in_flight = 3;  // the window of a ResNet's stem is three wide
  const EightOfPixel at = eight_of_thread(across);
  if (!is_inside(at, out)) return;
  x += in.image(at.n) + at.c;
  const Range<int> rows = axes.h.window(at.h), columns = axes.w.window(at.w);
  float best[8];
  EightIndices chosen;
  for (int k = 0; k < 8; ++k) {
    best[k] = -INFINITY;
    chosen.at[k] = rows.begin * in.W + columns.begin;
  }

  for (int h = rows.begin; h < rows.end; ++h) {
    for (int first = columns.begin; first < columns.end; first += in_flight) {
      Eight<T> values[in_flight];
      int pixel[in_flight];
      // In place of a column behind the last: the last again, which changes nothing.
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        pixel[i] = h * in.W + (first + i < columns.end ? first + i : columns.end - 1);
        values[i] = Eight<T>::at(x + pixel[i] * in.C);
      }
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
#pragma unroll
        for (int k = 0; k < 8; ++k) {
          const float value = values[i][k];
          if (value > best[k] || value != value) {  // NaN wins; of equals the first
            best[k] = value;
            chosen.at[k] = pixel[i];
          }
        }
      }
    }
  }

  const int64_t to = out.image(at.n) + out.offset(at.h, at.w) + at.c;
  Eight<T>::of(best).store(y + to);
  if (index != nullptr) *reinterpret_cast<EightIndices*>(index + to) = chosen;
}

/// What one thread of max_backward_vector owns: four pixels that share their windows. With 3×3
/// windows 2 apart there are four of them, of nine that the pixels would look at one by one.
inline constexpr int patch = 2;

/// Patches as pixels: what the grid covers.
inline Pixels patches_of(const Pixels& image) {
  return {image.N, image.C, (image.H + patch - 1) / patch, (image.W + patch - 1) / patch};
}

template <class T>
__global__ void __launch_bounds__(pool_threads, sizeof(T) == 2 ? 3 : 2)
    max_backward_vector(const T* dy, const int32_t* index, T* dx, Pixels in, Pixels out,
                        MaxAxes axes, int across) {
  constexpr int in_flight = 2;
  const EightOfPixel at = eight_of_thread(across);
  const int h = at.h * patch, w = at.w * patch;
  if (at.c >= in.C || h >= in.H || w >= in.W) return;
  const int64_t first_of_image = out.image(at.n) + at.c;
  const int last_h = min(h + 1, in.H - 1), last_w = min(w + 1, in.W - 1);
  const int end_p = axes.h.outputs_over(last_h).end, end_q = axes.w.outputs_over(last_w).end;
  const int begin_q = axes.w.outputs_over(w).begin;
  float sum[patch][patch][8] = {};

  for (int p = axes.h.outputs_over(h).begin; p < end_p; ++p) {
    for (int first = begin_q; first < end_q; first += in_flight) {
      Eight<T> g[in_flight];
      EightIndices chosen[in_flight];
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        const int q = min(first + i, end_q - 1);
        const int64_t from = first_of_image + out.offset(p, q);
        chosen[i] = *reinterpret_cast<const EightIndices*>(index + from);
        g[i] = Eight<T>::at(dy + from);
        if (q != first + i) g[i] = Eight<T>{};  // the last window again: it adds nothing
      }
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
#pragma unroll
        for (int pixel = 0; pixel < patch * patch; ++pixel) {
          const int a = pixel / patch, b = pixel % patch;
          const int here = (h + a) * in.W + w + b;
#pragma unroll
          for (int k = 0; k < 8; ++k) {
            if (chosen[i].at[k] == here) sum[a][b][k] += g[i][k];
          }
        }
      }
    }
  }

  T* const to = dx + in.image(at.n) + at.c;
#pragma unroll
  for (int pixel = 0; pixel < patch * patch; ++pixel) {
    const int a = pixel / patch, b = pixel % patch;
    const bool is_inside = h + a < in.H && w + b < in.W;
    if (is_inside) Eight<T>::of(sum[a][b]).store(to + in.offset(h + a, w + b));
  }
}

template <class T, class Axis>
__global__ void __launch_bounds__(pool_threads)
    average_forward_vector(const T* x, T* y, Pixels in, Pixels out, Axes<Axis> axes, int across) {
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  constexpr int in_flight = 16 / static_cast<int>(sizeof(T));  // the last 7×7 plane row by row
  const EightOfPixel at = eight_of_thread(across);
  if (!is_inside(at, out)) return;
  x += in.image(at.n) + at.c;
  const Range<int> rows = axes.h.window(at.h), columns = axes.w.window(at.w);
  float sum[8] = {};

  for (int h = rows.begin; h < rows.end; ++h) {
    float of_row[8] = {};  // row by row: a window over the whole image stays exact enough
    for (int first = columns.begin; first < columns.end; first += in_flight) {
      Eight<T> values[in_flight];
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        const int w = first + i < columns.end ? first + i : columns.end - 1;
        values[i] = Eight<T>::at(x + in.offset(h, w));
      }
#pragma unroll
      for (int i = 0; i < in_flight; ++i) {
        const bool is_there = first + i < columns.end;
#pragma unroll
        for (int k = 0; k < 8; ++k) of_row[k] += is_there ? values[i][k] : 0.0f;
      }
    }
    for (int k = 0; k < 8; ++k) sum[k] += of_row[k];
  }

  const float divisor = axes.h.divisor(at.h) * axes.w.divisor(at.w);
  for (int k = 0; k < 8; ++k) sum[k] /= divisor;
  Eight<T>::of(sum).store(y + out.image(at.n) + out.offset(at.h, at.w) + at.c);
}

template <class T, class Axis>
__global__ void __launch_bounds__(pool_threads)
    average_backward_vector(const T* dy, T* dx, Pixels in, Pixels out, Axes<Axis> axes,
                            int across) {
  const EightOfPixel at = eight_of_thread(across);
  if (!is_inside(at, in)) return;
  dy += out.image(at.n) + at.c;
  const Range<int> rows = axes.h.outputs_over(at.h), columns = axes.w.outputs_over(at.w);
  float sum[8] = {};
  for (int p = rows.begin; p < rows.end; ++p) {
    for (int q = columns.begin; q < columns.end; ++q) {
      const auto g = Eight<T>::at(dy + out.offset(p, q));
      const float share = 1 / (axes.h.divisor(p) * axes.w.divisor(q));
      for (int k = 0; k < 8; ++k) sum[k] += g[k] * share;
    }
  }
  Eight<T>::of(sum).store(dx + in.image(at.n) + in.offset(at.h, at.w) + at.c);
}

}  // namespace burin::cuda
