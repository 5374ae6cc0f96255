// Scaled dot-product attention, handwritten. From plain to fast; `--impl attention=cpu/<name>` runs
// one.
//   naive     one query at a time, as the definition reads
//   blocked   64 queries at a time: two products of matrices with a softmax between them, whose
//             scores never leave the second-level cache; of bf16 pairs where the CPU has them
#include "burin/kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/attention_blocked.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

// ---- naive

/// The row of D elements of query or key t, of the head that (n, h) is.
template <class T>
const T* row_of(const ConstView& view, int64_t head, int64_t t) {
  const int64_t H = view.dim(1);
  return view.as<T>() + head / H * view.strides[0] + head % H * view.strides[1] +
         t * view.strides[2];
}
template <class T>
T* row_of(const View& view, int64_t head, int64_t t) {
  return const_cast<T*>(row_of<T>(ConstView(view), head, t));  // the view is writable
}

template <class T>
float dot(const T* a, const T* b, int64_t D) {
  float sum = 0;
  for (int64_t d = 0; d < D; ++d) sum += static_cast<float>(a[d]) * static_cast<float>(b[d]);
  return sum;
}

template <class T>
void naive_query(const AttentionForward& op, int64_t head, int64_t t, std::vector<float>& p) {
  const int64_t T_ = op.q.dim(2), U = op.k.dim(2), D = op.q.dim(3);
  const T* const q = row_of<T>(op.q, head, t);
  float top = -INFINITY;
  for (int64_t u = 0; u < U; ++u) {
    const float s = op.scale * dot(q, row_of<T>(op.k, head, u), D);
    p[static_cast<size_t>(u)] = s;
    if (!(s <= top)) top = s;  // NaN wins
  }
  float sum = 0;
  for (float& s : p) {
    s = std::exp(s - top);
    sum += s;
  }
  op.log_sum_exp.as<float>()[head * T_ + t] = top + std::log(sum);
  T* const y = row_of<T>(op.y, head, t);
  for (int64_t d = 0; d < D; ++d) {
    float value = 0;
    for (int64_t u = 0; u < U; ++u) {
      value += p[static_cast<size_t>(u)] * static_cast<float>(row_of<T>(op.v, head, u)[d]);
    }
    y[d] = T(value / sum);
  }
}

void naive_forward(const AttentionForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.q.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(op.q.dim(0) * op.q.dim(1), 1, [&](int64_t begin, int64_t end) {
      std::vector<float> p(static_cast<size_t>(op.k.dim(2)));
      for (int64_t head = begin; head < end; ++head) {
        for (int64_t t = 0; t < op.q.dim(2); ++t) naive_query<T>(op, head, t, p);
      }
    });
  });
}

/// Sums of one head: dk and dv [U, D] gather from every query.
struct KeySums {
  std::vector<float> dk, dv;
};

template <class T>
void naive_query_backward(const AttentionBackward& op, int64_t head, int64_t t, KeySums& sums) {
  const int64_t U = op.k.dim(2), D = op.q.dim(3);
  const T* const q = row_of<T>(op.q, head, t);
  const T* const dy = row_of<T>(op.dy, head, t);
  const float r = dot(dy, row_of<T>(op.y, head, t), D);
  const float log_sum_exp = op.log_sum_exp.as<float>()[head * op.q.dim(2) + t];
  std::vector<float> dq(static_cast<size_t>(D));
  for (int64_t u = 0; u < U; ++u) {
    const T* const k = row_of<T>(op.k, head, u);
    const float p = std::exp(op.scale * dot(q, k, D) - log_sum_exp);
    const float ds = op.scale * p * (dot(dy, row_of<T>(op.v, head, u), D) - r);
    for (int64_t d = 0; d < D; ++d) {
      const auto at = static_cast<size_t>(u * D + d);
      dq[static_cast<size_t>(d)] += ds * static_cast<float>(k[d]);
      sums.dk[at] += ds * static_cast<float>(q[d]);
      sums.dv[at] += p * static_cast<float>(dy[d]);
    }
  }
  T* const to = row_of<T>(op.dq, head, t);
  for (int64_t d = 0; d < D; ++d) to[d] = T(dq[static_cast<size_t>(d)]);
}

void naive_backward(const AttentionBackward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const int64_t U = op.k.dim(2), D = op.q.dim(3);
  visit_floating(op.dy.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_for(op.q.dim(0) * op.q.dim(1), 1, [&](int64_t begin, int64_t end) {
      for (int64_t head = begin; head < end; ++head) {
        const std::vector<float> nothing(static_cast<size_t>(U * D));
        KeySums sums{nothing, nothing};
        for (int64_t t = 0; t < op.q.dim(2); ++t) naive_query_backward<T>(op, head, t, sums);
        for (int64_t u = 0; u < U; ++u) {
          for (int64_t d = 0; d < D; ++d) {
            row_of<T>(op.dk, head, u)[d] = T(sums.dk[static_cast<size_t>(u * D + d)]);
            row_of<T>(op.dv, head, u)[d] = T(sums.dv[static_cast<size_t>(u * D + d)]);
          }
        }
      }
    });
  });
}

// ---- what is taken

Refusal accepts_rows(float scale, std::initializer_list<ConstView> views) {
  if (!(scale > 0)) return str("scale ", scale, " is not positive");
  const DType dtype = views.begin()->dtype;
  if (!is_floating(dtype)) return str("dtype ", dtype);
  for (const ConstView& view : views) {
    if (view.dtype != dtype) return str("dtypes ", dtype, " and ", view.dtype);
    if (view.rank() != 4) return str(view.shape, " is not [N, H, tokens, D]");
    if (view.numel() == 0) return str(view.shape, " is empty");
    if (view.dim(3) > 1 && view.strides[3] != 1) return "rows whose elements are apart";
  }
  return {};
}

Refusal accepts_forward(const AttentionForward& op, const Context& /*context*/) {
  return accepts_rows(op.scale, {op.q, op.k, op.v, op.y});
}

Refusal accepts_backward(const AttentionBackward& op, const Context& /*context*/) {
  return accepts_rows(op.scale, {op.dy, op.q, op.k, op.v, op.y, op.dq, op.dk, op.dv});
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_attention(Registry& registry) {
  registry.add<AttentionForward>({.name = "cpu/blocked",
                                  .accepts = cpu::accepts_forward,
                                  .workspace_bytes = cpu::blocked_workspace,
                                  .run = cpu::blocked_attention});
  registry.add<AttentionBackward>({.name = "cpu/blocked",
                                   .accepts = cpu::accepts_backward,
                                   .workspace_bytes = cpu::blocked_workspace,
                                   .run = cpu::blocked_attention});
  registry.add<AttentionForward>({.name = "cpu/naive",
                                  .place = place::plain,
                                  .accepts = cpu::accepts_forward,
                                  .run = cpu::naive_forward});
  registry.add<AttentionBackward>({.name = "cpu/naive",
                                   .place = place::plain,
                                   .accepts = cpu::accepts_backward,
                                   .run = cpu::naive_backward});
}

}  // namespace burin
