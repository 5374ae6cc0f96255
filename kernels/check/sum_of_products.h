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
/// A kernel may add all L products one after the other (oneDNN does, all 4608 of a 3×3 filter over
/// 512 channels, and in a weight gradient those of all images that a thread has).
/// After i of them the partial sum is about √i · rms, each addition errs by about
/// 0.4 · u · √i · rms, and their sum by 0.3 · u · L · rms: √L times more than the √L · u · rms of a
/// pairwise sum. Operands with a mean, as normal_values has, make some elements' partial sums grow
/// steadily: of 5,000 elements the worst had 4.7 · √L · √L · u · rms with 4608 products, and
/// Winograd's F(4×4, 3×3) has 5 · √L · √L with 72. Hence 6 · √L; the operands' rounding to bf16 or
/// tf32 is 8,000 times u and stays visible.
///
/// Taps outside the image count as terms like the others: the error of a Winograd tile is that of
/// its largest output, also where most of the filter lies in the padding.
struct Sum {
  double value = 0;
  double squares = 0;
  double terms = 0, skipped = 0;
  void add(double product) {
    value += product;
    squares += product * product;
    ++terms;
  }
  void skip() { ++skipped; }
  Expected expected() const {
    const double all = terms + skipped;
    const double factor = std::max(default_factor, 6 * std::sqrt(all));
    const double scale = terms == 0 ? 0 : std::sqrt(squares * all / terms);
    return {value, scale * factor / default_factor};
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
