// What works element by element or only moves them: activations, arithmetic, sums, copies.
#include <vector>

#include "operators.h"
#include "tensors.h"

namespace burin::bench {
namespace {

using torch::Tensor;

/// The axes over which a reduction runs.
std::vector<int64_t> axes_of(const Reduce& op) {
  std::vector<int64_t> axes;
  for (int i = 0; i < op.x.rank(); ++i) {
    if (op.y.dim(i) == 1 && op.x.dim(i) != 1) axes.push_back(i);
  }
  return axes;
}

/// [1, C, 1, 1]: a value for each channel of an image.
Tensor channels(const ConstView& view) {
  return tensor_of(view).view({1, -1, 1, 1});
}

}  // namespace

Operator operator_of(const ActivationForward& op) {
  return [x = tensor_of(op.x), kind = op.activation] {
    switch (kind) {
      case Activation::relu:
        return at::relu(x);
      case Activation::gelu:
        return at::gelu(x);
      case Activation::gelu_tanh:
        return at::gelu(x, "tanh");
      default:
        return at::sigmoid(x);
    }
  };
}

Operator operator_of(const ActivationBackward& op) {
  return [dy = tensor_of(op.dy), saved = tensor_of(op.saved), kind = op.activation] {
    switch (kind) {
      case Activation::relu:
        return at::threshold_backward(dy, saved, 0);
      case Activation::gelu:
        return at::gelu_backward(dy, saved);
      case Activation::gelu_tanh:
        return at::gelu_backward(dy, saved, "tanh");
      default:
        return at::sigmoid_backward(dy, saved);
    }
  };
}

Operator operator_of(const ElementwiseBinary& op) {
  return [a = tensor_of(op.a), b = tensor_of(op.b), kind = op.kind] {
    switch (kind) {
      case BinaryKind::add:
        return at::add(a, b);
      case BinaryKind::subtract:
        return at::sub(a, b);
      case BinaryKind::multiply:
        return at::mul(a, b);
      case BinaryKind::divide:
        return at::div(a, b);
      case BinaryKind::maximum:
        return at::maximum(a, b);
      default:
        return at::minimum(a, b);
    }
  };
}

Operator operator_of(const ElementwiseUnary& op) {
  return [x = tensor_of(op.x), kind = op.kind, scale = op.scale,
          shifts = torch::full({}, op.shift, type_of(op.x.dtype))] {
    switch (kind) {
      case UnaryKind::affine:
        return at::add(shifts, x, scale);
      case UnaryKind::exp:
        return at::exp(x);
      case UnaryKind::log:
        return at::log(x);
      case UnaryKind::sqrt:
        return at::sqrt(x);
      case UnaryKind::reciprocal:
        return at::reciprocal(x);
      case UnaryKind::abs:
        return at::abs(x);
      default:
        return at::sign(x);
    }
  };
}

Operator operator_of(const Reduce& op) {
  return [x = tensor_of(op.x), axes = axes_of(op), type = type_of(op.y.dtype), kind = op.kind] {
    switch (kind) {
      case ReduceKind::sum:
        return at::sum(x, axes, true).to(type);
      case ReduceKind::mean:
        return at::mean(x, axes, true).to(type);
      case ReduceKind::max:
        return at::amax(x, axes, true);
      default:
        // The faster of two ways: a norm over less than everything has no vectors.
        if (static_cast<int64_t>(axes.size()) == x.dim() && x.scalar_type() == torch::kFloat) {
          return at::norm(x, 2, axes, true).square_();
        }
        return at::sum(x * x, axes, true).to(type);
    }
  };
}

Operator operator_of(const Concat& op) {
  std::vector<Tensor> inputs;
  for (const ConstView& input : op.inputs) inputs.push_back(tensor_of(input));
  return [inputs, axis = op.axis] { return at::cat(inputs, axis); };
}

Operator operator_of(const Copy& op) {
  return [x = tensor_of(op.x), y = unread_like(op.y)]() mutable { return y.copy_(x); };
}

/// As torchvision writes it.
Operator operator_of(const NormalizeU8& op) {
  return [x = tensor_of(op.x), mean = channels(op.mean), std = channels(op.std),
          type = type_of(op.y.dtype)] {
    return x.to(torch::kFloat).div_(255).sub_(mean).div_(std).to(type);
  };
}

}  // namespace burin::bench
