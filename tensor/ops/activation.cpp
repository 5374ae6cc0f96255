#include "burin/tensor/ops/activation.h"

#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"

namespace burin {

Tensor activation(const Tensor& x, Activation kind) {
  Tensor y = empty_like(x);
  launch(x.device(), ActivationForward{x.view(), y.writable(), kind});
  const bool keeps_output = kind == Activation::relu || kind == Activation::sigmoid;
  return record(
      name_of(kind), y, {x},
      [saved = save(keeps_output ? y : x), kind](const Tensor& dy, Gradients& grads) {
        Tensor dx = empty_like(dy);
        launch(dy.device(), ActivationBackward{dy.view(), saved.view(), dx.writable(), kind});
        grads.set(0, dx);
      });
}

}  // namespace burin
