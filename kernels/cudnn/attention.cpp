// Attention through cuDNN's graph API: the operations that its flash-attention engines are found
// by, in 16 bits. They round p and ds to 16 bits before they multiply, as tensor cores need it.
//
// Deterministic: the last product writes dq itself, and the engine keeps ds in its workspace, 2
// bytes for each t and u. The form that needs less, with f32 sums of dq beside it, adds to them in
// any order, and its engines do not say so in their notes.
#include "burin/kernels/attention.h"

#include <initializer_list>
#include <utility>

#include "burin/kernels/cudnn/support/family.h"
#include "burin/kernels/cudnn/support/plan.h"

namespace burin::cudnn {
namespace {

enum : TensorId {
  id_q,
  id_k,
  id_v,
  id_y,
  id_log_sum_exp,
  id_scale,
  id_one,
  id_dy,
  id_row_sums,
  id_dq,
  id_dk,
  id_dv,
  id_first_between
};

ConstView transposed(ConstView view) {
  std::swap(view.shape[2], view.shape[3]);
  std::swap(view.strides[2], view.strides[3]);
  return view;
}

/// [N, H, T], contiguous, as one column for each head.
ConstView column(const ConstView& view) {
  return ConstView::dense(view.data, DType::f32, {view.dim(0), view.dim(1), view.dim(2), 1});
}

/// The operations of a problem, and the tensors between them.
class Graph {
 public:
  Graph(const ConstView& q, const ConstView& k)
      : scores_(ConstView::dense(nullptr, q.dtype, {q.dim(0), q.dim(1), q.dim(2), k.dim(2)})),
        scale_(scalar(id_scale, 4)) {}

  const std::vector<Descriptor>& operations() const { return operations_; }
  const ConstView& scores() const { return scores_; }  // [N, H, T, U]

  void add(const Descriptor& operation) { operations_.push_back(operation); }
  Descriptor next(const ConstView& like, DType dtype = DType::f32) {
    return between(next_id_++, like, dtype);
  }

  /// [N, H, T, U]: a · b, element by element, and times the scale.
  Descriptor products(const Descriptor& a, const Descriptor& b) {
    Descriptor c = next(scores_);
    add(matmul(a, b, c));
    return c;
  }
  template <class... X>
  Descriptor each(cudnnPointwiseMode_t mode, const X&... x) {
    Descriptor y = next(scores_);
    add(pointwise(mode, x..., y));
    return y;
  }
  Descriptor scaled(const Descriptor& x) { return each(CUDNN_POINTWISE_MUL, x, scale_); }
  /// [N, H, U, T], an operand of tensor cores.
  Descriptor flipped(const Descriptor& x) {
    Descriptor y = next(transposed(scores_), scores_.dtype);
    add(reshape(x, y));
    return y;
  }
  /// [N, H, T, 1]
  Descriptor by_row(cudnnReduceTensorOp_t how, const Descriptor& x) {
    Descriptor y = next(column(scores_));
    add(reduction(how, x, y));
    return y;
  }

 private:
  ConstView scores_;
  Descriptor scale_;
  TensorId next_id_ = id_first_between;
  std::vector<Descriptor> operations_;
};

std::vector<Descriptor> forward_graph(const AttentionForward& op) {
  Graph graph(op.q, op.k);
  const Descriptor s =
      graph.scaled(graph.products(tensor(id_q, op.q), tensor(id_k, transposed(op.k))));

  const Descriptor top = graph.by_row(CUDNN_REDUCE_TENSOR_MAX, s);
  const Descriptor shifted = graph.each(CUDNN_POINTWISE_SUB, s, top);
  const Descriptor exponentials = graph.each(CUDNN_POINTWISE_EXP, shifted);
  const Descriptor sum = graph.by_row(CUDNN_REDUCE_TENSOR_ADD, exponentials);
  const Descriptor log_sum = graph.next(column(op.log_sum_exp));
  graph.add(pointwise(CUDNN_POINTWISE_LOG, sum, log_sum));
  graph.add(
      pointwise(CUDNN_POINTWISE_ADD, top, log_sum, tensor(id_log_sum_exp, column(op.log_sum_exp))));

  const Descriptor p = graph.next(graph.scores(), op.q.dtype);
  graph.add(pointwise(CUDNN_POINTWISE_DIV, exponentials, sum, p));
  graph.add(matmul(p, tensor(id_v, op.v), tensor(id_y, op.y)));
  return graph.operations();
}

std::vector<Descriptor> backward_graph(const AttentionBackward& op) {
  Graph graph(op.q, op.k);
  const Descriptor q = tensor(id_q, op.q), dy = tensor(id_dy, op.dy);
  const Descriptor k_transposed = tensor(id_k, transposed(op.k));

  // r[t] = Σ_d dy · y reaches memory. The engines know it with the factor of a dropout, here 1.
  const Descriptor products = graph.next(op.dy);
  graph.add(pointwise(CUDNN_POINTWISE_MUL, dy, tensor(id_y, op.y), products));
  const Descriptor r = tensor(id_row_sums, column(op.log_sum_exp));
  graph.add(pointwise(CUDNN_POINTWISE_MUL, graph.by_row(CUDNN_REDUCE_TENSOR_ADD, products),
                      scalar(id_one, 4), r));

  const Descriptor s = graph.scaled(graph.products(q, k_transposed));
  const Descriptor shifted =
      graph.each(CUDNN_POINTWISE_SUB, s, tensor(id_log_sum_exp, column(op.log_sum_exp)));
  const Descriptor p = graph.each(CUDNN_POINTWISE_EXP, shifted);
  graph.add(matmul(graph.flipped(p), dy, tensor(id_dv, op.dv)));

  const Descriptor dp = graph.products(dy, tensor(id_v, transposed(op.v)));
  const Descriptor centred = graph.each(CUDNN_POINTWISE_SUB, dp, r);
  const Descriptor ds = graph.scaled(graph.each(CUDNN_POINTWISE_MUL, centred, p));
  graph.add(matmul(graph.flipped(ds), q, tensor(id_dk, op.dk)));
  const Descriptor k = graph.next(op.k, op.k.dtype);
  graph.add(reshape(k_transposed, k));
  graph.add(matmul(ds, k, tensor(id_dq, op.dq)));
  return graph.operations();
}

Plan& plan_of(const AttentionForward& op, const Context& context) {
  ProblemKey key(AttentionForward::name);
  key.add(op.q).add(op.k).add(op.v).add(op.y);
  return plan_for(context.stream, key, rules_of(op.q.dtype), [&] { return forward_graph(op); });
}

Plan& plan_of(const AttentionBackward& op, const Context& context) {
  ProblemKey key(AttentionBackward::name);
  key.add(op.dy).add(op.q).add(op.k).add(op.v).add(op.y).add(op.dq).add(op.dk).add(op.dv);
  return plan_for(context.stream, key, rules_of(op.q.dtype), [&] { return backward_graph(op); });
}

/// Why operands [N, H, rows, D] can't go to cuDNN whatever their plan, or empty.
Refusal refuse_operands(std::initializer_list<ConstView> views, const ConstView& log_sum_exp) {
  // Before, the engines' backward needs a mask where the keys do not fill their last tile.
  constexpr size_t oldest = 91501;
  if (cudnnGetVersion() < oldest) return "cuDNN before 9.15.1";
  const DType dtype = views.begin()->dtype;
  if (dtype == DType::f32) return "dtype f32: its engines multiply in 16 bits";
  for (const ConstView& view : views) {
    if (Refusal refusal = refuse_view(view); !refusal.empty()) return refusal;
    if (view.dtype != dtype) return str("dtypes ", dtype, " and ", view.dtype);
    for (int i = 0; i < 3; ++i) {
      const bool whole = view.strides[i] > 0 && view.strides[i] % 8 == 0;
      if (!whole && view.dim(i) > 1) return "rows that do not each begin at 16 bytes";
    }
    if (!is_aligned(view)) return "an operand does not begin at 16 bytes";
  }
  return is_aligned(log_sum_exp) ? "" : "log_sum_exp does not begin at 16 bytes";
}

/// On Hopper the backward engines mask the keys behind the last one only if their tiles of 64 say
/// that there are some, but walk over two tiles at a time; without that mask the queries behind the
/// last one count too. exp(0 − log_sum_exp) overflows there where a row's scores all lie below −88,
/// and gradients become NaN. Seen by others: NVIDIA/cudnn-frontend, #628, #1072.
Refusal refuse_unmasked(int64_t T, int64_t U) {
  const bool masked = U % 64 != 0;
  const bool filled = U % 128 == 0 && T % 64 == 0;
  if (masked || filled) return "";
  return str(T, " queries and ", U, " keys: very negative scores would make gradients NaN");
}

Refusal accepts_forward(const AttentionForward& op, const Context& context) {
  Refusal refusal = refuse_operands({op.q, op.k, op.v, op.y}, op.log_sum_exp);
  return refusal.empty() ? plan_of(op, context).refusal : refusal;
}

Refusal accepts_backward(const AttentionBackward& op, const Context& context) {
  Refusal refusal =
      refuse_operands({op.dy, op.q, op.k, op.v, op.y, op.dq, op.dk, op.dv}, op.log_sum_exp);
  if (refusal.empty()) refusal = refuse_unmasked(op.q.dim(2), op.k.dim(2));
  return refusal.empty() ? plan_of(op, context).refusal : refusal;
}

size_t rows_of(const AttentionBackward& op) {
  return static_cast<size_t>(op.log_sum_exp.numel());
}

size_t forward_workspace(const AttentionForward& op, const Context& context) {
  return plan_of(op, context).workspace_bytes();
}

size_t backward_workspace(const AttentionBackward& op, const Context& context) {
  return Workspace::room_for<float>(rows_of(op)) + plan_of(op, context).workspace_bytes();
}

void forward(const AttentionForward& op, Workspace workspace, Stream& stream) {
  plan_of(op, Context{stream})
      .run(handle_of(stream), stream,
           {{id_q, op.q.data},
            {id_k, op.k.data},
            {id_v, op.v.data},
            {id_y, op.y.data},
            {id_log_sum_exp, op.log_sum_exp.data},
            {id_scale, &op.scale}},
           workspace);
}

void backward(const AttentionBackward& op, Workspace workspace, Stream& stream) {
  const float one = 1;
  const float* const row_sums = workspace.take<float>(rows_of(op));
  plan_of(op, Context{stream})
      .run(handle_of(stream), stream,
           {{id_q, op.q.data},
            {id_k, op.k.data},
            {id_v, op.v.data},
            {id_y, op.y.data},
            {id_log_sum_exp, op.log_sum_exp.data},
            {id_scale, &op.scale},
            {id_one, &one},
            {id_dy, op.dy.data},
            {id_row_sums, row_sums},
            {id_dq, op.dq.data},
            {id_dk, op.dk.data},
            {id_dv, op.dv.data}},
           workspace);
}

}  // namespace
}  // namespace burin::cudnn

namespace burin {

void register_cudnn_attention(Registry& registry) {
  cudnn::add<AttentionForward>(registry, {.name = "cudnn",
                                          .place = place::vendor,
                                          .accepts = cudnn::accepts_forward,
                                          .workspace_bytes = cudnn::forward_workspace,
                                          .run = cudnn::forward});
  cudnn::add<AttentionBackward>(registry, {.name = "cudnn",
                                           .place = place::vendor,
                                           .accepts = cudnn::accepts_backward,
                                           .workspace_bytes = cudnn::backward_workspace,
                                           .run = cudnn::backward});
}

}  // namespace burin
