#include "burin/tensor/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"

namespace burin {
namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

/// Weights of the outputs: uneven, of both signs, none 0.
std::vector<float> output_weights(int64_t count) {
  std::vector<float> weights(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const auto phase = static_cast<float>(i);
    weights[static_cast<size_t>(i)] = std::sin(1.7f * phase + 0.4f) + (i % 2 == 0 ? 0.3f : -0.3f);
  }
  return weights;
}

double weighted_output(const Function& f, const std::vector<Tensor>& inputs) {
  const NoGradGuard no_grad;
  const std::vector<float> y = f(inputs).to_vector<float>();
  const std::vector<float> weights = output_weights(static_cast<int64_t>(y.size()));
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    sum += static_cast<double>(y[i]) * static_cast<double>(weights[i]);
  }
  return sum;
}

void set_elements(Tensor& x, const std::vector<float>& values) {
  copy_into(x, Tensor::from(values, x.shape(), {DType::f32, x.device()}));
}

}  // namespace

std::string gradcheck(const Function& f, std::vector<Tensor> inputs,
                      const GradcheckOptions& options) {
  for (Tensor& input : inputs) input.set_grad({});
  const Tensor y = f(inputs);
  backward(y,
           Tensor::from(output_weights(y.numel()), y.shape(), {y.dtype(), y.device(), y.layout()}));

  for (size_t which = 0; which < inputs.size(); ++which) {
    Tensor& input = inputs[which];
    if (!input.requires_grad()) continue;
    if (!input.grad().defined()) return str("input ", which, " got no gradient");
    const std::vector<float> gradient = input.grad().to_vector<float>();
    const std::vector<float> at = input.to_vector<float>();
    double scale = 1e-3;
    for (const float g : gradient) scale = std::max(scale, static_cast<double>(std::abs(g)));

    const int64_t stride = std::max<int64_t>(1, input.numel() / options.elements);
    for (size_t i = 0; i < at.size(); i += static_cast<size_t>(stride)) {
      std::vector<float> moved = at;
      moved[i] = at[i] + static_cast<float>(options.step);
      set_elements(input, moved);
      const double above = weighted_output(f, inputs);
      moved[i] = at[i] - static_cast<float>(options.step);
      set_elements(input, moved);
      const double below = weighted_output(f, inputs);
      const double slope = (above - below) / (2 * options.step);
      if (std::abs(slope - static_cast<double>(gradient[i])) > options.tolerance * scale) {
        set_elements(input, at);
        return str("input ", which, " element ", i, ": backward says ", gradient[i],
                   ", the central difference ", slope);
      }
    }
    set_elements(input, at);
  }
  return {};
}

}  // namespace burin
