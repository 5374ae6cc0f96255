// u8 images become a network's input, handwritten. `--impl normalize_u8=cuda/<name>` runs one.
//   naive   one thread per element of y; x may have any strides, so this also turns nhwc into nchw
//   vector  x and y nhwc: 16 bytes of u8 in, one or two packets out
#include "burin/kernels/normalize_u8.h"

#include "burin/kernels/cuda/support/family.h"
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

__device__ float normalized(uint8_t level, float mean, float std) {
  return (static_cast<float>(level) / 255.0f - mean) / std;
}

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
  y[i] = T(normalized(level, mean[c], std[c]));
}

template <class T>
__global__ void normalize_vector(const uint8_t* x, const float* mean, const float* std, T* y,
                                 int64_t count, int C) {
  constexpr int n = Packet<uint8_t>::size;
  const int64_t first = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * n;
  if (first >= count) return;
  int c = static_cast<int>(first % C);
  if (first + n <= count) {
    const Packet<uint8_t> in = *reinterpret_cast<const Packet<uint8_t>*>(x + first);
    for (int part = 0; part < n; part += Packet<T>::size) {
      Packet<T> out;
      for (int k = 0; k < Packet<T>::size; ++k) {
        out.at[k] = T(normalized(in.at[part + k], mean[c], std[c]));
        c = c + 1 == C ? 0 : c + 1;
      }
      *reinterpret_cast<Packet<T>*>(y + first + part) = out;
    }
  } else {
    for (int64_t i = first; i < count; ++i) {
      y[i] = T(normalized(x[i], mean[c], std[c]));
      c = c + 1 == C ? 0 : c + 1;
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
  const int64_t count = op.x.numel();
  const dim3 grid = blocks_for(count, int64_t{threads} * Packet<uint8_t>::size);
  visit_element(op.y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(normalize_vector<T>, {grid, threads, 0, stream}, op.x.as<uint8_t>(), op.mean.as<float>(),
           op.std.as<float>(), op.y.as<T>(), count, static_cast<int>(op.x.dim(1)));
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
