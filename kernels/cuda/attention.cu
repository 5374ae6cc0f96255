// Scaled dot-product attention, handwritten. `--impl attention=cuda/<name>` runs one.
//   warp_per_row  forward: a warp per query walks over the keys once, the softmax's maximum and sum
//                 corrected as it goes; lane l owns elements l, l + 32, … of a row. Backward: a
//                 warp per query gathers dq, a warp per key dk and dv; probabilities are computed
//                 again
//   tensor_cores  16-bit rows of up to 128 elements: a warp owns 16 queries, or 16 keys for dk and
//                 dv; its scores and weights stay in registers; 64 rows of the other side at a time
//                 come through shared memory, cp.async ahead of their use; ldmatrix, mma.
//                 support/attention_tensor_cores.cu
// Nothing of size T · U is kept, no atomics. Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et
// al. 2022, arXiv:2205.14135, app. B.
#include "burin/kernels/attention.h"

#include "burin/kernels/cuda/support/attention.h"
#include "burin/kernels/cuda/support/block_reduce.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

constexpr int threads = 128;
constexpr int most_parts = 8;  // of 32 elements: rows of up to 256

/// The row that a warp owns.
struct Position {
  int64_t n, h, t;
};
__device__ inline Position position_of(int64_t row, int64_t H, int64_t T) {
  return {row / (H * T), row / T % H, row % T};
}
__device__ inline int64_t warp_row() {
  return int64_t(blockIdx.x) * (threads / 32) + threadIdx.x / 32;
}

/// A lane's share of a row.
struct Share {
  float at[most_parts];
};

template <class T>
__device__ Share load(const T* row, int D) {
  Share share;
  for (int part = 0; part < most_parts; ++part) {
    const int d = part * 32 + static_cast<int>(threadIdx.x % 32);
    share.at[part] = d < D ? float(row[d]) : 0.0f;
  }
  return share;
}

template <class T>
__device__ void store(T* row, const Share& share, float factor, int D) {
  for (int part = 0; part < most_parts; ++part) {
    const int d = part * 32 + static_cast<int>(threadIdx.x % 32);
    if (d < D) row[d] = T(share.at[part] * factor);
  }
}

__device__ inline float dot(const Share& a, const Share& b) {
  float sum = 0;
  for (int part = 0; part < most_parts; ++part) sum += a.at[part] * b.at[part];
  return warp_sum(sum);
}

__device__ inline void add_scaled(Share& to, const Share& from, float factor) {
  for (int part = 0; part < most_parts; ++part) to.at[part] += factor * from.at[part];
}

template <class T>
__global__ void attention_forward(AttentionForwardRows<T> op) {
  const AttentionExtents& e = op.e;
  const int64_t row = warp_row();
  if (row >= e.N * e.H * e.T) return;  // a whole warp leaves together
  const Position p = position_of(row, e.H, e.T);
  const Share q = load(op.q.row(p.n, p.h, p.t), e.D);

  Share y{};
  float top = -INFINITY, sum = 0;
  for (int64_t u = 0; u < e.U; ++u) {
    const float score = op.scale * dot(q, load(op.k.row(p.n, p.h, u), e.D));
    if (score > top || score != score) {  // what was added so far counted from the old maximum
      const float shrink = expf(top - score);
      for (int part = 0; part < most_parts; ++part) y.at[part] *= shrink;
      sum *= shrink;
      top = score;
    }
    const float weight = score == -INFINITY ? 0.0f : expf(score - top);  // top may be −∞, too
    sum += weight;
    add_scaled(y, load(op.v.row(p.n, p.h, u), e.D), weight);
  }

  store(op.y.row(p.n, p.h, p.t), y, 1 / sum, e.D);
  if (threadIdx.x % 32 == 0) op.log_sum_exp[row] = top + logf(sum);
}

template <class T>
__global__ void attention_backward_query(AttentionBackwardRows<T> op) {
  const AttentionExtents& e = op.e;
  const int64_t row = warp_row();
  if (row >= e.N * e.H * e.T) return;
  const Position p = position_of(row, e.H, e.T);
  const Share q = load(op.q.row(p.n, p.h, p.t), e.D);
  const Share dy = load(op.dy.row(p.n, p.h, p.t), e.D);
  const float r = dot(dy, load(op.y.row(p.n, p.h, p.t), e.D));
  const float lse = op.log_sum_exp[row];

  Share dq{};
  for (int64_t u = 0; u < e.U; ++u) {
    const Share k = load(op.k.row(p.n, p.h, u), e.D);
    const float probability = expf(op.scale * dot(q, k) - lse);
    const float ds = probability * (dot(dy, load(op.v.row(p.n, p.h, u), e.D)) - r);
    add_scaled(dq, k, ds);
  }
  store(op.dq.row(p.n, p.h, p.t), dq, op.scale, e.D);
}

template <class T>
__global__ void attention_backward_key(AttentionBackwardRows<T> op) {
  const AttentionExtents& e = op.e;
  const int64_t row = warp_row();
  if (row >= e.N * e.H * e.U) return;
  const Position p = position_of(row, e.H, e.U);
  const Share k = load(op.k.row(p.n, p.h, p.t), e.D);
  const Share v = load(op.v.row(p.n, p.h, p.t), e.D);

  Share dk{}, dv{};
  for (int64_t t = 0; t < e.T; ++t) {
    const Share q = load(op.q.row(p.n, p.h, t), e.D);
    const Share dy = load(op.dy.row(p.n, p.h, t), e.D);
    const float r = dot(dy, load(op.y.row(p.n, p.h, t), e.D));
    const float lse = op.log_sum_exp[(p.n * e.H + p.h) * e.T + t];
    const float probability = expf(op.scale * dot(q, k) - lse);
    add_scaled(dv, dy, probability);
    add_scaled(dk, q, probability * (dot(dy, v) - r));
  }
  store(op.dk.row(p.n, p.h, p.t), dk, op.scale, e.D);
  store(op.dv.row(p.n, p.h, p.t), dv, 1, e.D);
}

Refusal refuse_rows(const ConstView& view, DType dtype) {
  if (view.dtype != dtype) return str("dtypes ", dtype, " and ", view.dtype);
  if (view.rank() != 4) return str("rank ", view.rank());
  return view.dim(3) == 1 || view.strides[3] == 1 ? "" : "the elements of a row are not neighbours";
}

Refusal accepts_forward(const AttentionForward& op, const Context& /*context*/) {
  if (!is_floating(op.q.dtype)) return str("dtype ", op.q.dtype);
  if (op.q.dim(3) > most_parts * 32) return str("rows of ", op.q.dim(3), " elements");
  const ConstView y = op.y;
  for (const ConstView* view : {&op.q, &op.k, &op.v, &y}) {
    if (Refusal refusal = refuse_rows(*view, op.q.dtype); !refusal.empty()) return refusal;
  }
  return "";
}

Refusal accepts_backward(const AttentionBackward& op, const Context& /*context*/) {
  if (!is_floating(op.q.dtype)) return str("dtype ", op.q.dtype);
  if (op.q.dim(3) > most_parts * 32) return str("rows of ", op.q.dim(3), " elements");
  const ConstView dq = op.dq, dk = op.dk, dv = op.dv;
  for (const ConstView* view : {&op.dy, &op.q, &op.k, &op.v, &op.y, &dq, &dk, &dv}) {
    if (Refusal refusal = refuse_rows(*view, op.q.dtype); !refusal.empty()) return refusal;
  }
  return "";
}

void forward(const AttentionForward& op, Workspace /*workspace*/, Stream& stream) {
  visit_element(op.q.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(attention_forward<T>,
           {blocks_for(op.log_sum_exp.numel(), threads / 32), threads, 0, stream},
           AttentionForwardRows<T>::of(op));
  });
}

void backward(const AttentionBackward& op, Workspace /*workspace*/, Stream& stream) {
  const AttentionExtents e = AttentionExtents::of(op.q, op.k);
  visit_element(op.q.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto rows = AttentionBackwardRows<T>::of(op);
    launch(attention_backward_query<T>,
           {blocks_for(e.N * e.H * e.T, threads / 32), threads, 0, stream}, rows);
    launch(attention_backward_key<T>,
           {blocks_for(e.N * e.H * e.U, threads / 32), threads, 0, stream}, rows);
  });
}

}  // namespace
}  // namespace burin::cuda

namespace burin {

void register_cuda_attention(Registry& registry) {
  cuda::register_attention_tensor_cores(registry);
  cuda::add<AttentionForward>(
      registry,
      {.name = "cuda/warp_per_row", .accepts = cuda::accepts_forward, .run = cuda::forward});
  cuda::add<AttentionBackward>(
      registry,
      {.name = "cuda/warp_per_row", .accepts = cuda::accepts_backward, .run = cuda::backward});
}

}  // namespace burin
