// u8 images become a network's input, handwritten. `--impl normalize_u8=cuda/<name>` runs one.
//   naive   one thread per element of y; x may have any strides, so this also turns nhwc into nchw
//   vector  x and y nhwc: packets of y, four a thread; with one or three channels a multiply-add an
//           element
#include "burin/kernels/normalize_u8.h"

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/normalization.h"
#include "burin/kernels/cuda/support/packet.h"

namespace burin::cuda {
namespace {

constexpr int threads = 256;

/// y's memory in logical terms, and x's strides.
struct Images {
  int64_t C, H, W;
  int64_t count;
  int64_t x_stride[4];
  bool y_is_nhwc;
};

template <class T>
__global__ void normalize_naive(const uint8_t* x, const float* mean, const float* std, T* y,
                                Images images) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= images.count) return;
  const int64_t C = images.C, H = images.H, W = images.W;
  const int64_t c = images.y_is_nhwc ? i % C : i / (H * W) % C;
  const int64_t w = images.y_is_nhwc ? i / C % W : i % W;
  const int64_t h = images.y_is_nhwc ? i / (C * W) % H : i / W % H;
  const int64_t n = i / (C * H * W);
  const uint8_t level = x[n * images.x_stride[0] + c * images.x_stride[1] + h * images.x_stride[2] +
                          w * images.x_stride[3]];
  y[i] = T(Normalization::of(mean[c], std[c])(level));
}

/// Blocks of `vector`: a multiple of three, so that all packets of a thread begin with one channel.
constexpr int vector_threads = 192;
constexpr int packets_per_thread = 4;

/// Where packet i of the thread begins.
template <class T>
__device__ int64_t first_of_packet(int i) {
  const int64_t packet = int64_t(blockIdx.x) * packets_per_thread + i;
  return (packet * vector_threads + threadIdx.x) * Packet<T>::size;
}

/// As many levels as a packet of y has elements.
template <class T>
struct alignas(Packet<T>::size) Levels {
  uint8_t at[Packet<T>::size];
};

/// Variant `vector` for C known channels, whose scales and shifts stay in registers.
template <class T, int C>
__global__ void normalize_channels(const uint8_t* x, const float* mean, const float* std, T* y,
                                   int64_t count) {
  constexpr int n = Packet<T>::size;
  static_assert(vector_threads * n % C == 0);
  const int first_channel = static_cast<int>(first_of_packet<T>(0) % C);
  Normalization normalized[C];  // of the channels as they follow in a packet
  for (int k = 0; k < C; ++k) {
    const int c = (first_channel + k) % C;
    normalized[k] = Normalization::of(mean[c], std[c]);
  }

  const auto value = [&](int k, uint8_t level) { return T(normalized[k % C](level)); };
  const auto store = [&](int64_t first, const Levels<T>& levels) {
    Packet<T> out;
    for (int k = 0; k < n; ++k) out.at[k] = value(k, levels.at[k]);
    *reinterpret_cast<Packet<T>*>(y + first) = out;
  };
  const auto levels_at = [&](int64_t first) {
    return *reinterpret_cast<const Levels<T>*>(x + first);
  };

  constexpr int64_t of_block = int64_t{packets_per_thread} * vector_threads * n;
  if ((blockIdx.x + 1) * of_block <= count) {  // packets can be asked for without a test between
    Levels<T> levels[packets_per_thread];
#pragma unroll
    for (int i = 0; i < packets_per_thread; ++i) levels[i] = levels_at(first_of_packet<T>(i));
#pragma unroll
    for (int i = 0; i < packets_per_thread; ++i) store(first_of_packet<T>(i), levels[i]);
    return;
  }
  for (int i = 0; i < packets_per_thread; ++i) {
    const int64_t first = first_of_packet<T>(i);
    if (first + n <= count) {
      store(first, levels_at(first));
    } else {
#pragma unroll
      for (int k = 0; k < n; ++k) {
        if (first + k < count) y[first + k] = value(k, x[first + k]);
      }
    }
  }
}

/// Variant `vector` for any channels.
template <class T>
__global__ void normalize_vector(const uint8_t* x, const float* mean, const float* std, T* y,
                                 int64_t count, int C) {
  constexpr int n = Packet<T>::size;
  for (int i = 0; i < packets_per_thread; ++i) {
    const int64_t first = first_of_packet<T>(i);
    if (first >= count) return;
    int c = static_cast<int>(first % C);
    const auto next = [&](uint8_t level) {
      const float value = Normalization::of(mean[c], std[c])(level);
      c = c + 1 == C ? 0 : c + 1;
      return T(value);
    };
    if (first + n <= count) {
      const Levels<T> levels = *reinterpret_cast<const Levels<T>*>(x + first);
      Packet<T> out;
      for (int k = 0; k < n; ++k) out.at[k] = next(levels.at[k]);
      *reinterpret_cast<Packet<T>*>(y + first) = out;
    } else {
      for (int64_t e = first; e < count; ++e) y[e] = next(x[e]);
    }
  }
}

Refusal accepts_naive(const NormalizeU8& op, const Context& /*context*/) {
  if (op.x.dtype != DType::u8 || !is_floating(op.y.dtype)) {
    return str("from ", op.x.dtype, " to ", op.y.dtype);
  }
  return op.y.is_dense(Layout::nhwc) || op.y.is_dense(Layout::nchw) ? "" : "y is not dense";
}

Refusal accepts_vector(const NormalizeU8& op, const Context& context) {
  if (Refusal refusal = accepts_naive(op, context); !refusal.empty()) return refusal;
  const bool both = op.x.is_dense(Layout::nhwc) && op.y.is_dense(Layout::nhwc);
  if (!both) return "x and y are not both nhwc";
  return is_aligned(op.x) && is_aligned(op.y) ? "" : "x or y does not begin at 16 bytes";
}

void run_naive(const NormalizeU8& op, Workspace /*workspace*/, Stream& stream) {
  const Strides& s = op.x.strides;
  const Images images{op.x.dim(1),
                      op.x.dim(2),
                      op.x.dim(3),
                      op.x.numel(),
                      {s[0], s[1], s[2], s[3]},
                      op.y.is_dense(Layout::nhwc)};
  visit_element(op.y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(normalize_naive<T>, {blocks_for(images.count, threads), threads, 0, stream},
           op.x.as<uint8_t>(), op.mean.as<float>(), op.std.as<float>(), op.y.as<T>(), images);
  });
}

void run_vector(const NormalizeU8& op, Workspace /*workspace*/, Stream& stream) {
  const int64_t count = op.x.numel(), C = op.x.dim(1);
  const auto* const x = op.x.as<uint8_t>();
  const auto *const mean = op.mean.as<float>(), *const std = op.std.as<float>();
  visit_element(op.y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* const y = op.y.as<T>();
    const int64_t of_block = int64_t{vector_threads} * packets_per_thread * Packet<T>::size;
    const LaunchConfig config{blocks_for(count, of_block), vector_threads, 0, stream};
    if (C == 3) {
      launch(normalize_channels<T, 3>, config, x, mean, std, y, count);
    } else if (C == 1) {
      launch(normalize_channels<T, 1>, config, x, mean, std, y, count);
    } else {
      launch(normalize_vector<T>, config, x, mean, std, y, count, static_cast<int>(C));
    }
  });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_normalize_u8(Registry& registry) {
  using namespace cuda;
  add<NormalizeU8>(registry, {.name = "cuda/vector", .accepts = accepts_vector, .run = run_vector});
  add<NormalizeU8>(
      registry,
      {.name = "cuda/naive", .place = place::plain, .accepts = accepts_naive, .run = run_naive});
}

}  // namespace burin
