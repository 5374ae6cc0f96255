#include "burin/kernels/cuda/support/conv2d_stem.h"

#include "burin/kernels/cuda/support/conv2d_parts.h"

namespace burin::cuda {
namespace {

constexpr int threads = 256;

/// Pixels of `channels` elements become pixels of `padded`, the rest zeros: one packet of 8 a
/// thread. A packet has `of_pixel` elements of a pixel: 4, which are all, or 8 of a multiple.
template <class T, int of_pixel>
__global__ void conv2d_pad_channels(const T* from, T* to, int packets, int channels, int padded) {
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= packets) return;
  const int a_pixel = padded / 8;
  const int pixel = of_pixel == 4 ? 2 * i : i / a_pixel;
  const int first = of_pixel == 4 ? 0 : i % a_pixel * 8;
  const T* const values = from + int64_t(pixel) * channels;
  Packet<T> out;
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    const int c = first + k % of_pixel;
    out.at[k] = c < channels ? values[k / of_pixel * channels + c] : T(0.0f);
  }
  *reinterpret_cast<Packet<T>*>(to + int64_t(i) * 8) = out;
}

/// Where element k of pair p lies in a line of taps: tap and channel of the original, which has
/// neither where the filter ends.
struct PairElement {
  int tap, c;
  bool exists;

  __device__ PairElement(int p, int k, int before, int taps, int channels)
      : tap(2 * p + k / 4 - before), c(k % 4), exists(tap >= 0 && tap < taps && c < channels) {}
};

/// w [K · R][S][C] becomes [K · R][pairs][8]: one pair a thread.
template <class T>
__global__ void conv2d_pair_filter(const T* from, T* to, int lines, int taps, int channels,
                                   int pairs, int before) {
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= lines * pairs) return;
  const T* const line = from + int64_t(i / pairs) * taps * channels;
  Packet<T> out;
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    const PairElement element(i % pairs, k, before, taps, channels);
    out.at[k] = element.exists ? line[element.tap * channels + element.c] : T(0.0f);
  }
  *reinterpret_cast<Packet<T>*>(to + int64_t(i) * 8) = out;
}

/// The sum of the parts, [count][K · R][pairs][8], written as dw.
template <class D>
__global__ void conv2d_add_pair_parts(const float* parts, PartsSum<float> parts_sum,
                                      Conv2dGeometry g, int taps, int before, Image<D> dw) {
  const float sum = parts_sum.add(parts);
  const int i = parts_sum.element();
  const PairElement element(i / 8 % g.S, i % 8, before, taps, g.C);
  if (!parts_sum.has_sum() || !element.exists) return;
  const int line = i / 8 / g.S;
  dw.data[dw.offset(line / g.R, element.c, line % g.R, element.tap)] = D(sum);
}

void pad_channels(const ConstView& from, void* to, size_t elements, int padded, Stream& stream) {
  const int packets = static_cast<int>(elements / 8);
  visit_16(from.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto kernel = padded == 4 ? conv2d_pad_channels<T, 4> : conv2d_pad_channels<T, 8>;
    launch_overlapped(kernel, {blocks_for(packets, threads), threads, 0, stream}, from.as<T>(),
                      static_cast<T*>(to), packets, static_cast<int>(from.dim(1)), padded);
  });
}

}  // namespace

void copy_image(const Stem& stem, const ConstView& x, void* to, Stream& stream) {
  pad_channels(x, to, stem.image_elements(), stem.pairs ? 4 : stem.channels, stream);
}

void copy_filter(const Stem& stem, const ConstView& w, void* to, Stream& stream) {
  if (!stem.pairs) {
    pad_channels(w, to, stem.filter_elements(), stem.channels, stream);
    return;
  }
  const int lines = stem.g.K * stem.g.R;
  visit_16(w.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch_overlapped(conv2d_pair_filter<T>,
                      {blocks_for(lines * stem.g.S, threads), threads, 0, stream}, w.as<T>(),
                      static_cast<T*>(to), lines, static_cast<int>(w.dim(3)),
                      static_cast<int>(w.dim(1)), stem.g.S, stem.before);
  });
}

void add_stem_parts(const Stem& stem, const float* parts, int count, const Conv2dBackwardWeight& op,
                    Stream& stream) {
  if (!stem.pairs) {
    add_weight_parts(parts, count, stem.channels, op, stream);
    return;
  }
  const auto sum = PartsSum<float>::of(count, static_cast<int64_t>(stem.filter_elements()));
  visit_element(op.dw.dtype, [&](auto tag) {
    using D = typename decltype(tag)::type;
    launch_overlapped(conv2d_add_pair_parts<D>, sum.config(stream), parts, sum, stem.g,
                      static_cast<int>(op.dw.dim(3)), stem.before, Image<D>::of(op.dw));
  });
}

}  // namespace burin::cuda
