#include "burin/tensor/ops/attention.h"

#include <cmath>

#include "burin/kernels/attention.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"

namespace burin {
namespace {

/// Part `part` of `parts` in a packed [N, T, parts · H · D], seen as [N, H, T, D].
Tensor heads_of(const Tensor& packed, int64_t heads, int64_t part, int64_t parts) {
  const int64_t N = packed.dim(0), T = packed.dim(1), row = packed.dim(2);
  const int64_t C = row / parts, D = C / heads;
  return packed.alias({N, heads, T, D}, {T * row, D, row, 1}, part * C);
}

}  // namespace

Tensor attention(const Tensor& qkv, int64_t heads) {
  check(qkv.rank() == 3 && qkv.is_contiguous(), "attention: qkv ", qkv.shape(),
        " must be [N, T, 3 · H · D], contiguous");
  check(heads > 0 && qkv.dim(2) % (3 * heads) == 0, "attention: ", qkv.dim(2),
        " values a token do not divide into q, k and v of ", heads, " heads");
  const int64_t N = qkv.dim(0), T = qkv.dim(1), C = qkv.dim(2) / 3, D = C / heads;
  const float scale = 1 / std::sqrt(static_cast<float>(D));
  const Tensor y = empty({N, T, C}, {qkv.dtype(), qkv.device()});
  Tensor log_sum_exp = empty({N, heads, T}, {DType::f32, qkv.device()});
  launch(qkv.device(),
         AttentionForward{heads_of(qkv, heads, 0, 3).view(), heads_of(qkv, heads, 1, 3).view(),
                          heads_of(qkv, heads, 2, 3).view(), heads_of(y, heads, 0, 1).writable(),
                          log_sum_exp.writable(), scale});
  return record(
      "attention", y, {qkv},
      [qkv = save(qkv), y = save(y), log_sum_exp = save(log_sum_exp), heads, scale](
          const Tensor& dy, Gradients& grads) {
        const Tensor dqkv = empty(qkv.get().shape(), {dy.dtype(), dy.device()});
        const auto part = [&](int64_t i) { return heads_of(qkv.get(), heads, i, 3); };
        const auto gradient = [&](int64_t i) { return heads_of(dqkv, heads, i, 3); };
        launch(dy.device(),
               AttentionBackward{heads_of(dy, heads, 0, 1).view(), part(0).view(), part(1).view(),
                                 part(2).view(), heads_of(y.get(), heads, 0, 1).view(),
                                 log_sum_exp.view(), gradient(0).writable(), gradient(1).writable(),
                                 gradient(2).writable(), scale});
        grads.set(0, dqkv);
      });
}

}  // namespace burin
