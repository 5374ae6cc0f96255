#include "burin/nn/attention.h"

#include "burin/tensor/ops/attention.h"

namespace burin::nn {

Attention::Attention(int64_t features, int64_t heads, Generator& generator)
    : qkv(features, 3 * features, true, generator),
      proj(features, features, true, generator),
      heads_(heads) {
  check(heads > 0 && features % heads == 0, "Attention: ", features,
        " features do not divide into ", heads, " heads");
}

Tensor Attention::forward(const Tensor& x, const Tensor& residual) {
  return proj.forward(attention(qkv.forward(x), heads_), {.residual = residual});
}

void Attention::visit(Visitor& visitor) {
  visitor.child("qkv", qkv);
  visitor.child("proj", proj);
}

}  // namespace burin::nn
