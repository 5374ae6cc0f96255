#pragma once

#include <torch/torch.h>

#include <functional>

#include "burin/kernels/activation.h"
#include "burin/kernels/adam.h"
#include "burin/kernels/attention.h"
#include "burin/kernels/batch_norm.h"
#include "burin/kernels/concat.h"
#include "burin/kernels/conv2d.h"
#include "burin/kernels/copy.h"
#include "burin/kernels/cross_entropy.h"
#include "burin/kernels/elementwise.h"
#include "burin/kernels/ema.h"
#include "burin/kernels/grn.h"
#include "burin/kernels/layer_norm.h"
#include "burin/kernels/matmul.h"
#include "burin/kernels/normalize_u8.h"
#include "burin/kernels/pool2d.h"
#include "burin/kernels/reduce.h"
#include "burin/kernels/sgd.h"
#include "burin/kernels/softmax.h"

namespace burin::bench {

/// One op's problem as LibTorch computes it, on the memory of the op's operands; an optimiser's on
/// copies of them. A call returns what stands against the op's first output.
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
Operator operator_of(const AttentionForward& op);
Operator operator_of(const AttentionBackward& op);
Operator operator_of(const LayerNormForward& op);
Operator operator_of(const LayerNormBackward& op);
Operator operator_of(const GrnForward& op);
Operator operator_of(const GrnBackward& op);
Operator operator_of(const SoftmaxForward& op);
Operator operator_of(const SoftmaxBackward& op);
Operator operator_of(const CrossEntropyForward& op);
Operator operator_of(const CrossEntropyBackward& op);
Operator operator_of(const ActivationForward& op);
Operator operator_of(const ActivationBackward& op);
Operator operator_of(const ElementwiseBinary& op);
Operator operator_of(const ElementwiseUnary& op);
Operator operator_of(const Reduce& op);
Operator operator_of(const Concat& op);
Operator operator_of(const Copy& op);
Operator operator_of(const NormalizeU8& op);
Operator operator_of(const AdamStep& op);
Operator operator_of(const SgdStep& op);
Operator operator_of(const EmaStep& op);

}  // namespace burin::bench
