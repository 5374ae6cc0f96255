#include "burin/nn/sgd.h"

#include "burin/kernels/sgd.h"
#include "burin/tensor/launch.h"

namespace burin::nn {

Sgd::Sgd(std::vector<ParameterGroup> groups, bool nesterov)
    : Optimizer(std::move(groups)), nesterov_(nesterov) {
  for (const Batch& batch : batches()) {
    std::vector<Tensor>& buffers = buffers_.emplace_back();
    for (const NamedTensor& p : batch.parameters) {
      buffers.push_back(zeros(p.tensor.shape(), p.tensor.options()));
    }
  }
}

void Sgd::step_batch(Batch& batch) {
  std::vector<Tensor>& buffers = buffers_[static_cast<size_t>(&batch - batches().data())];
  SgdStep op;
  for (size_t i = 0; i < batch.parameters.size(); ++i) {
    Tensor& parameter = batch.parameters[i].tensor;
    if (!parameter.grad().defined()) continue;
    const View copy = copy_beside(batch.parameters[i]);
    op.slots.push_back(
        {parameter.writable(), parameter.grad().view(), buffers[i].writable(), copy});
  }
  op.scalars = batch.scalars.writable();
  op.weight_decay = static_cast<float>(batch.weight_decay);
  op.nesterov = nesterov_;
  launch(batch.scalars.device(), op);
}

std::vector<NamedTensor> Sgd::state() {
  std::vector<NamedTensor> result;
  for (size_t b = 0; b < buffers_.size(); ++b) {
    for (size_t i = 0; i < buffers_[b].size(); ++i) {
      result.push_back({batches()[b].parameters[i].name + ".momentum_buffer", buffers_[b][i]});
    }
  }
  return result;
}

}  // namespace burin::nn
