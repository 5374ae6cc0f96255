// Rows of a table of u8 images become a network's input, handwritten. `--impl
// gather_u8=cuda/<name>` runs one.
//   naive   one thread per element of y
//   vector  y nhwc: one thread per 16 bytes of y, which follows the pixels from one to the next
#include "burin/kernels/gather_u8.h"

#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/normalization.h"
#include "burin/kernels/cuda/support/packet.h"

namespace burin::cuda {
namespace {

constexpr int threads = 256;

struct Images {
  int64_t C, H, W;    // of y
  int64_t H0, W0;     // of the table
  int64_t stride[4];  // of the table
  int64_t count;      // elements of y
  bool y_is_nhwc;
};

/// What y[n, c, h, w] is made of; `row` is rows[n].
__device__ uint8_t level_at(const uint8_t* table, const int* row, int64_t c, int64_t h, int64_t w,
                            const Images& images) {
  const int64_t from_w = row[1] + (row[3] != 0 ? images.W - 1 - w : w);
  const int64_t from_h = row[2] + h;
  if (from_h < 0 || from_h >= images.H0 || from_w < 0 || from_w >= images.W0) return 0;
  return table[row[0] * images.stride[0] + c * images.stride[1] + from_h * images.stride[2] +
               from_w * images.stride[3]];
}

template <class T>
__global__ void gather_naive(const uint8_t* table, const int* rows, const float* mean,
                             const float* std, T* y, Images images) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= images.count) return;
  const int64_t C = images.C, H = images.H, W = images.W;
  const int64_t c = images.y_is_nhwc ? i % C : i / (H * W) % C;
  const int64_t w = images.y_is_nhwc ? i / C % W : i % W;
  const int64_t h = images.y_is_nhwc ? i / (C * W) % H : i / W % H;
  const int64_t n = i / (C * H * W);
  y[i] = T(Normalization::of(mean[c], std[c])(level_at(table, rows + 4 * n, c, h, w, images)));
}

template <class T>
__global__ void gather_vector(const uint8_t* table, const int* rows, const float* mean,
                              const float* std, T* y, Images images) {
  constexpr int size = Packet<T>::size;
  const int64_t first = (int64_t(blockIdx.x) * blockDim.x + threadIdx.x) * size;
  if (first >= images.count) return;
  const int64_t C = images.C, H = images.H, W = images.W;
  int64_t c = first % C, w = first / C % W, h = first / (C * W) % H, n = first / (C * H * W);

  Packet<T> out;
  const int filled = static_cast<int>(images.count - first < size ? images.count - first : size);
  for (int k = 0; k < filled; ++k) {
    out.at[k] =
        T(Normalization::of(mean[c], std[c])(level_at(table, rows + 4 * n, c, h, w, images)));
    if (++c < C) continue;
    c = 0;
    if (++w < W) continue;
    w = 0;
    if (++h < H) continue;
    h = 0;
    ++n;
  }

  if (filled == size) {
    *reinterpret_cast<Packet<T>*>(y + first) = out;
  } else {
    for (int k = 0; k < filled; ++k) y[first + k] = out.at[k];
  }
}

Refusal accepts_naive(const GatherU8& op, const Context& /*context*/) {
  if (op.table.dtype != DType::u8 || !is_floating(op.y.dtype)) {
    return str("from ", op.table.dtype, " to ", op.y.dtype);
  }
  return op.y.is_dense(Layout::nhwc) || op.y.is_dense(Layout::nchw) ? "" : "y is not dense";
}

Refusal accepts_vector(const GatherU8& op, const Context& context) {
  if (Refusal refusal = accepts_naive(op, context); !refusal.empty()) return refusal;
  if (!op.y.is_dense(Layout::nhwc)) return "y is not nhwc";
  return is_aligned(op.y) ? "" : "y does not begin at 16 bytes";
}

Images images_of(const GatherU8& op) {
  const Strides& s = op.table.strides;
  return {op.y.dim(1),     op.y.dim(2),
          op.y.dim(3),     op.table.dim(2),
          op.table.dim(3), {s[0], s[1], s[2], s[3]},
          op.y.numel(),    op.y.is_dense(Layout::nhwc)};
}

void run_naive(const GatherU8& op, Workspace /*workspace*/, Stream& stream) {
  const Images images = images_of(op);
  visit_element(op.y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(gather_naive<T>, {blocks_for(images.count, threads), threads, 0, stream},
           op.table.as<uint8_t>(), op.rows.as<int>(), op.mean.as<float>(), op.std.as<float>(),
           op.y.as<T>(), images);
  });
}

void run_vector(const GatherU8& op, Workspace /*workspace*/, Stream& stream) {
  const Images images = images_of(op);
  visit_element(op.y.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const dim3 grid = blocks_for(images.count, int64_t{threads} * Packet<T>::size);
    launch(gather_vector<T>, {grid, threads, 0, stream}, op.table.as<uint8_t>(), op.rows.as<int>(),
           op.mean.as<float>(), op.std.as<float>(), op.y.as<T>(), images);
  });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_gather_u8(Registry& registry) {
  using namespace cuda;
  add<GatherU8>(registry, {.name = "cuda/vector", .accepts = accepts_vector, .run = run_vector});
  add<GatherU8>(
      registry,
      {.name = "cuda/naive", .place = place::plain, .accepts = accepts_naive, .run = run_naive});
}

}  // namespace burin
