#pragma once

#include <torch/torch.h>

#include <functional>

#include "burin/kernels/adam.h"
#include "burin/kernels/batch_norm.h"
#include "burin/kernels/conv2d.h"
#include "burin/kernels/matmul.h"
#include "burin/kernels/pool2d.h"

namespace burin::bench {

/// One op's problem as LibTorch computes it, on the memory of the op's operands. A call returns
/// what stands against the op's first output.
using Operator = std::function<torch::Tensor()>;

Operator operator_of(const Conv2dForward& op);
Operator operator_of(const Conv2dBackwardData& op);
Operator operator_of(const Conv2dBackwardWeight& op);
Operator operator_of(const BatchNormTrain& op);
Operator operator_of(const BatchNormInference& op);
Operator operator_of(const BatchNormBackward& op);
Operator operator_of(const MaxPool2dForward& op);
Operator operator_of(const MaxPool2dBackward& op);
Operator operator_of(const AdaptiveAvgPool2dForward& op);
Operator operator_of(const AdaptiveAvgPool2dBackward& op);
Operator operator_of(const Matmul& op);
/// A step of torch::optim::Adam over copies of the parameters, from the same state.
Operator operator_of(const AdamStep& op);

/// The elements a view looks at, as a tensor on the same memory.
torch::Tensor tensor_of(const ConstView& view);

}  // namespace burin::bench
