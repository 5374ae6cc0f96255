#include "burin/kernels/activation.h"

namespace burin {

std::string_view name_of(Activation activation) {
  switch (activation) {
    case Activation::none:
      return "none";
    case Activation::relu:
      return "relu";
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_tanh:
      return "gelu_tanh";
    case Activation::sigmoid:
      return "sigmoid";
  }
  return "unknown activation";
}

}  // namespace burin
