// What works on rows: matrix products, attention, norms over channels, softmax and the loss.
#include "operators.h"
#include "tensors.h"

namespace burin::bench {
namespace {

using torch::Tensor;

/// Autograd's backward pass through `forward` of these leaves; the first leaf's gradient.
template <class Forward>
Operator gradient_of(std::vector<Tensor> leaves, const Tensor& dy, const Forward& forward) {
  const torch::AutoGradMode on(true);
  for (Tensor& leaf : leaves) leaf = leaf.detach().requires_grad_();
  const Tensor y = forward(leaves);
  return [y, leaves, dy] {
    return torch::autograd::grad({y}, leaves, {dy}, /*retain_graph=*/true).front();
  };
}

/// Woo et al. 2023, algorithm 1, as the authors' repository writes it; the norm in f32, as under
/// autocast.
Tensor grn(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  const Tensor norm = at::norm(x, 2, at::IntArrayRef{1}, true, torch::kFloat);
  const Tensor response = (norm / (norm.mean(-1, true) + epsilon)).to(x.scalar_type());
  return weight * (x * response) + bias + x;
}

Tensor in_dtype_of(const ConstView& weight, const ConstView& x) {
  return tensor_of(weight).to(type_of(x.dtype));
}

}  // namespace

Operator operator_of(const Matmul& op) {
  const Tensor bias =
      op.epilogue.bias ? tensor_of(op.epilogue.bias).to(type_of(op.a.dtype)) : Tensor();
  return [a = tensor_of(op.a), w = tensor_of(op.b).t(), bias,
          residual = optional_of(op.epilogue.residual), activation = op.epilogue.activation] {
    return finished(at::linear(a, w, bias), residual, activation);
  };
}

Operator operator_of(const LayerNormForward& op) {
  return [x = tensor_of(op.x), weight = in_dtype_of(op.weight, op.x),
          bias = in_dtype_of(op.bias, op.x), epsilon = op.epsilon] {
    return std::get<0>(at::native_layer_norm(x, {x.size(1)}, weight, bias, epsilon));
  };
}

Operator operator_of(const LayerNormBackward& op) {
  return [dy = tensor_of(op.dy), x = tensor_of(op.x), weight = in_dtype_of(op.weight, op.x),
          mean = in_dtype_of(op.mean, op.x).view({-1, 1}),
          inverse_std = in_dtype_of(op.inverse_std, op.x).view({-1, 1})] {
    return std::get<0>(at::native_layer_norm_backward(dy, x, {x.size(1)}, mean, inverse_std, weight,
                                                      weight, {true, true, true}));
  };
}

Operator operator_of(const SoftmaxForward& op) {
  return [x = tensor_of(op.x), log = op.log] {
    return log ? at::_log_softmax(x, 1, false) : at::_softmax(x, 1, false);
  };
}

Operator operator_of(const SoftmaxBackward& op) {
  return [dy = tensor_of(op.dy), y = tensor_of(op.y), log = op.log] {
    return log ? at::_log_softmax_backward_data(dy, y, 1, y.scalar_type())
               : at::_softmax_backward_data(dy, y, 1, y.scalar_type());
  };
}

Operator operator_of(const CrossEntropyForward& op) {
  return [logits = tensor_of(op.logits), target = tensor_of(op.target),
          weight = optional_of(op.class_weight), op] {
    return at::cross_entropy_loss(logits, target, weight, at::Reduction::Mean, op.ignore_index,
                                  op.label_smoothing);
  };
}

Operator operator_of(const CrossEntropyBackward& op) {
  check(op.label_smoothing == 0, "LibTorch's loss with smoothing has another backward");
  const Tensor log_p = at::_log_softmax(tensor_of(op.logits), 1, false);
  return [log_p, dloss = in_dtype_of(op.dloss, op.logits), target = tensor_of(op.target),
          weight = optional_of(op.class_weight), total = in_dtype_of(op.total_weight, op.logits),
          ignored = op.ignore_index] {
    const Tensor dlog_p =
        at::nll_loss_backward(dloss, log_p, target, weight, at::Reduction::Mean, ignored, total);
    return at::_log_softmax_backward_data(dlog_p, log_p, 1, log_p.scalar_type());
  };
}

/// The scores are kept, as LibTorch's own layer keeps them.
Operator operator_of(const AttentionForward& op) {
  return [q = tensor_of(op.q), k = tensor_of(op.k), v = tensor_of(op.v), scale = op.scale] {
    return at::matmul(at::softmax(at::matmul(q * scale, k.transpose(-2, -1)), -1), v);
  };
}

Operator operator_of(const AttentionBackward& op) {
  const double scale = op.scale;
  return gradient_of({tensor_of(op.q), tensor_of(op.k), tensor_of(op.v)}, tensor_of(op.dy),
                     [&](const std::vector<Tensor>& qkv) {
                       const Tensor scores = at::matmul(qkv[0] * scale, qkv[1].transpose(-2, -1));
                       return at::matmul(at::softmax(scores, -1), qkv[2]);
                     });
}

Operator operator_of(const GrnForward& op) {
  return [x = tensor_of(op.x), weight = in_dtype_of(op.weight, op.x),
          bias = in_dtype_of(op.bias, op.x),
          epsilon = op.epsilon] { return grn(x, weight, bias, epsilon); };
}

Operator operator_of(const GrnBackward& op) {
  const double epsilon = op.epsilon;
  return gradient_of({tensor_of(op.x), in_dtype_of(op.weight, op.x),
                      torch::zeros_like(in_dtype_of(op.weight, op.x))},
                     tensor_of(op.dy),
                     [&](const std::vector<Tensor>& l) { return grn(l[0], l[1], l[2], epsilon); });
}

}  // namespace burin::bench
