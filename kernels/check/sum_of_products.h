#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "burin/kernels/check/activation.h"
#include "burin/kernels/check/case.h"
#include "burin/kernels/epilogue.h"

namespace burin::checks {

/// An operand's values as double, read when the definition first asks: timing a large case never
/// does.
class LazyValues {
 public:
  LazyValues(Operands& operands, const ConstView& view)
      : held_(std::make_shared<Held>(Held{&operands, view, {}})) {}

  double operator[](int64_t index) const {
    if (held_->values.empty()) held_->values = held_->operands->read(held_->view);
    return held_->values[static_cast<size_t>(index)];
  }

 private:
  struct Held {
    Operands* operands;
    ConstView view;
    std::vector<double> values;
  };
  std::shared_ptr<Held> held_;
};

/// A sum of products in double, and the scale of the rounding errors of the same sum in f32.
///
/// A GEMM adds up to `run` products one after the other in a register before it begins a new
/// partial sum. After i of L such products the partial sum is about √i · rms, each addition errs by
/// about 0.4 · u · √i · rms, and their sum by 0.3 · u · L · rms: √L times more than the √L · u ·
/// rms of a pairwise sum. 2 · √L is seven standard deviations of it; short sums keep
/// default_factor.
struct Sum {
  static constexpr double run = 512;
  double value = 0;
  double squares = 0;
  double terms = 0;
  void add(double product) {
    value += product;
    squares += product * product;
    ++terms;
  }
  Expected expected() const {
    const double factor = std::max(default_factor, 4 * std::sqrt(std::min(terms, run)));
    return {value, std::sqrt(squares) * factor / default_factor};
  }
};

/// Which parts of an epilogue a case has.
struct EpilogueParts {
  bool bias = false;
  bool residual = false;
  Activation activation = Activation::none;
};

/// The operands of an epilogue behind y; `channels` is the extent of the bias.
inline Epilogue make_epilogue(Operands& operands, const EpilogueParts& parts, const View& y,
                              int64_t channels) {
  Epilogue epilogue;
  epilogue.activation = parts.activation;
  if (parts.bias) epilogue.bias = operands.input(DType::f32, {channels});
  if (parts.residual) {
    epilogue.residual = operands.input(y.dtype, y.shape, y.strides, normal_values());
  }
  return epilogue;
}

/// The definition: element `index` of y belongs to output channel `channel`.
class EpilogueDefinition {
 public:
  EpilogueDefinition(Operands& operands, const Epilogue& epilogue)
      : epilogue_(epilogue),
        bias_(operands, epilogue.bias),
        residual_(operands, epilogue.residual) {}

  Expected operator()(Sum sum, int64_t index, int64_t channel) const {
    if (epilogue_.bias) sum.add(bias_[channel]);
    if (epilogue_.residual) sum.add(residual_[index]);
    const Expected linear = sum.expected();
    return {activation(epilogue_.activation, linear.value).value, linear.scale};
  }

 private:
  Epilogue epilogue_;
  LazyValues bias_;
  LazyValues residual_;
};

/// "bias residual relu"
inline std::string describe(const EpilogueParts& parts) {
  std::string text;
  if (parts.bias) text += " bias";
  if (parts.residual) text += " residual";
  if (parts.activation != Activation::none) text += str(' ', name_of(parts.activation));
  return text;
}

}  // namespace burin::checks
