#include "burin/tensor/ops/dropout.h"

#include "burin/kernels/dropout.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/launch.h"
#include "burin/tensor/ops/same_device.h"

namespace burin {

Tensor dropout(const Tensor& x, double p, Generator& generator) {
  check(p >= 0 && p <= 1, "dropout: the probability ", p, " must be in [0, 1]");
  check_same_device("dropout", {{"x", x}, {"the generator", generator.state()}});
  const auto probability = static_cast<float>(p);
  Tensor y = empty_like(x);
  Tensor used = empty({2}, {DType::i64, x.device()});
  launch(x.device(), DropoutForward{x.view(), y.writable(), generator.state().writable(),
                                    used.writable(), probability});
  return record(
      "dropout", y, {x}, [used = save(used), probability](const Tensor& dy, Gradients& grads) {
        Tensor dx = empty_like(dy);
        launch(dy.device(), DropoutBackward{dy.view(), used.view(), dx.writable(), probability});
        grads.set(0, dx);
      });
}

}  // namespace burin
