// The rung `tensor_cores` of attention.cu's ladder: 16-bit operands, products by mma.
#include <initializer_list>
#include <type_traits>

#include "burin/kernels/cuda/support/attention_tensor_backward.h"
#include "burin/kernels/cuda/support/attention_tensor_forward.h"
#include "burin/kernels/cuda/support/family.h"

namespace burin::cuda {
namespace {

constexpr int64_t most_elements = 128;  // of a row
constexpr int64_t most_rows = 1 << 30;  // so that an int counts them

Refusal refuse_rows(const ConstView& view, DType dtype) {
  if (view.dtype != dtype) return str("dtypes ", dtype, " and ", view.dtype);
  if (view.rank() != 4) return str("rank ", view.rank());
  if (view.strides[3] != 1) return "the elements of a row are not neighbours";
  if (view.dim(2) > most_rows) return str(view.dim(2), " rows");
  for (int i = 0; i < 3; ++i) {
    const bool whole = view.strides[i] % 8 == 0;
    if (!whole && view.dim(i) > 1) return "rows that do not each begin at 16 bytes";
  }
  return is_aligned(view) ? "" : "an operand does not begin at 16 bytes";
}

Refusal refuse_operands(std::initializer_list<ConstView> views) {
  const DType dtype = views.begin()->dtype;
  if (dtype != DType::bf16 && dtype != DType::f16) return str("dtype ", dtype);
  const int64_t D = views.begin()->dim(3);
  if (D % 8 != 0 || D > most_elements) return str("rows of ", D, " elements");
  for (const ConstView& view : views) {
    if (Refusal refusal = refuse_rows(view, dtype); !refusal.empty()) return refusal;
  }
  return "";
}

Refusal accepts_forward(const AttentionForward& op, const Context& /*context*/) {
  return refuse_operands({op.q, op.k, op.v, op.y});
}

Refusal accepts_backward(const AttentionBackward& op, const Context& /*context*/) {
  return refuse_operands({op.dy, op.q, op.k, op.v, op.y, op.dq, op.dk, op.dv});
}

/// Calls f with the op's type and the length of rows that the kernels are compiled for: elements
/// behind a row's are zeros.
template <class F>
void visit_rows(DType dtype, int64_t elements, const F& f) {
  visit_16(dtype, [&](auto tag) {
    if (elements <= 32) return f(tag, std::integral_constant<int, 32>());
    if (elements <= 64) return f(tag, std::integral_constant<int, 64>());
    if (elements <= 96) return f(tag, std::integral_constant<int, 96>());
    f(tag, std::integral_constant<int, 128>());
  });
}

/// Blocks of so many warps that cover `rows` rows of each head.
dim3 blocks_of(const AttentionExtents& e, int64_t rows, int warps) {
  const int64_t per_block = int64_t{warps} * attention_warp_rows;
  return blocks_for(e.N * e.H * ((rows + per_block - 1) / per_block), 1);
}

void forward(const AttentionForward& op, Workspace /*workspace*/, Stream& stream) {
  visit_rows(op.q.dtype, op.q.dim(3), [&](auto tag, auto elements) {
    using T = typename decltype(tag)::type;
    constexpr int D = decltype(elements)::value;
    const auto rows = AttentionForwardRows<T>::of(op);
    const int warps = attention_warps(rows.e.T, attention_most_warps<D>);
    launch(attention_forward_tensor_cores<T, D>,
           {blocks_of(rows.e, rows.e.T, warps), 32 * static_cast<unsigned>(warps),
            TilePairs<T, D>::shared_bytes(warps, attention_warp_rows * D), stream},
           rows);
  });
}

size_t statistics_count(const AttentionBackward& op) {
  const AttentionExtents e = AttentionExtents::of(op.q, op.k);
  return static_cast<size_t>(e.N * e.H * statistics_pitch(e.T));
}

size_t backward_workspace(const AttentionBackward& op, const Context& /*context*/) {
  return Workspace::room_for<float2>(statistics_count(op));
}

void backward(const AttentionBackward& op, Workspace workspace, Stream& stream) {
  float2* const statistics = workspace.take<float2>(statistics_count(op));
  visit_rows(op.q.dtype, op.q.dim(3), [&](auto tag, auto elements) {
    using T = typename decltype(tag)::type;
    constexpr int D = decltype(elements)::value;
    const auto rows = AttentionBackwardRows<T>::of(op);
    const auto run = [&](auto kernel, int64_t count, int most_warps, auto shared_bytes) {
      const int warps = attention_warps(count, most_warps);
      launch(kernel,
             {blocks_of(rows.e, count, warps), 32 * static_cast<unsigned>(warps),
              shared_bytes(warps, 2 * attention_warp_rows * D), stream},
             rows, statistics);
    };
    run(attention_backward_query_tensor_cores<T, D>, rows.e.T, attention_most_warps<D>,
        TilePairs<T, D>::shared_bytes);
    run(attention_backward_key_tensor_cores<T, D>, rows.e.U, attention_most_key_warps<D>,
        AttentionQueryTiles<T, D>::shared_bytes);
  });
}

}  // namespace

void register_attention_tensor_cores(Registry& registry) {
  add<AttentionForward>(registry,
                        {.name = "cuda/tensor_cores", .accepts = accepts_forward, .run = forward});
  add<AttentionBackward>(registry, {.name = "cuda/tensor_cores",
                                    .accepts = accepts_backward,
                                    .workspace_bytes = backward_workspace,
                                    .run = backward});
}

}  // namespace burin::cuda
