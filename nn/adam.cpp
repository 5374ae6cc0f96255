#include "burin/nn/adam.h"

#include "burin/kernels/adam.h"
#include "burin/tensor/launch.h"

namespace burin::nn {

Adam::Adam(std::vector<ParameterGroup> groups, const AdamOptions& options)
    : Optimizer(std::move(groups)), options_(options) {
  for (const Batch& batch : batches()) {
    Moments& moments = moments_.emplace_back();
    for (const NamedTensor& p : batch.parameters) {
      moments.first.push_back(zeros(p.tensor.shape(), p.tensor.options()));
      moments.second.push_back(zeros(p.tensor.shape(), p.tensor.options()));
    }
  }
}

void Adam::step_batch(Batch& batch) {
  Moments& moments = moments_[static_cast<size_t>(&batch - batches().data())];
  AdamStep op;
  for (size_t i = 0; i < batch.parameters.size(); ++i) {
    Tensor& parameter = batch.parameters[i].tensor;
    if (!parameter.grad().defined()) continue;
    const View copy = copy_beside(batch.parameters[i]);
    op.slots.push_back({parameter.writable(), parameter.grad().view(), moments.first[i].writable(),
                        moments.second[i].writable(), copy});
  }
  op.scalars = batch.scalars.writable();
  op.beta2 = static_cast<float>(options_.beta2);
  op.epsilon = static_cast<float>(options_.epsilon);
  op.weight_decay = static_cast<float>(batch.weight_decay);
  op.decoupled_weight_decay = options_.decoupled_weight_decay;
  launch(batch.scalars.device(), op);
}

std::vector<NamedTensor> Adam::state() {
  std::vector<NamedTensor> result;
  for (size_t b = 0; b < moments_.size(); ++b) {
    for (size_t i = 0; i < moments_[b].first.size(); ++i) {
      const std::string& name = batches()[b].parameters[i].name;
      result.push_back({name + ".first_moment", moments_[b].first[i]});
      result.push_back({name + ".second_moment", moments_[b].second[i]});
    }
  }
  return result;
}

}  // namespace burin::nn
