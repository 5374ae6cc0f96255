// What an optimiser does to all parameters at once, over copies of them from the same state.
#include <memory>
#include <vector>

#include "operators.h"
#include "tensors.h"

namespace burin::bench {
namespace {

using torch::Tensor;

template <class Slot>
std::vector<Tensor> parameters_of(const std::vector<Slot>& slots) {
  std::vector<Tensor> parameters;
  for (const Slot& slot : slots) {
    Tensor parameter = tensor_of(slot.parameter).clone();
    parameter.mutable_grad() = tensor_of(slot.gradient);
    parameters.push_back(parameter);
  }
  return parameters;
}

Operator step_of(std::shared_ptr<torch::optim::Optimizer> optimizer, Tensor first) {
  return [optimizer = std::move(optimizer), first = std::move(first)] {
    optimizer->step();
    return first;
  };
}

}  // namespace

Operator operator_of(const AdamStep& op) {
  const float* const scalars = op.scalars.as<float>();
  const std::vector<Tensor> parameters = parameters_of(op.slots);
  const auto options = torch::optim::AdamOptions(scalars[scalar_learning_rate])
                           .betas({scalars[scalar_momentum], op.beta2})
                           .eps(op.epsilon)
                           .weight_decay(op.weight_decay);
  return step_of(std::make_shared<torch::optim::Adam>(parameters, options), parameters.front());
}

Operator operator_of(const SgdStep& op) {
  const float* const scalars = op.scalars.as<float>();
  const std::vector<Tensor> parameters = parameters_of(op.slots);
  const auto options = torch::optim::SGDOptions(scalars[scalar_learning_rate])
                           .momentum(scalars[scalar_momentum])
                           .weight_decay(op.weight_decay)
                           .nesterov(op.nesterov);
  return step_of(std::make_shared<torch::optim::SGD>(parameters, options), parameters.front());
}

Operator operator_of(const EmaStep& op) {
  std::vector<Tensor> averages, values;
  for (const EmaStep::Slot& slot : op.slots) {
    averages.push_back(tensor_of(slot.average).clone());
    values.push_back(tensor_of(slot.value));
  }
  return [averages, values, share = 1 - op.decay.as<float>()[0]]() mutable {
    for (size_t i = 0; i < averages.size(); ++i) averages[i].lerp_(values[i], share);
    return averages.front();
  };
}

}  // namespace burin::bench
