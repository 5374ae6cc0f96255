#pragma once

#include "burin/models/model.h"

namespace burin::models {

/// Prepares a model for inference: evaluation mode, no gradients, every batch norm that follows a
/// convolution merged into it. Returns how many were. The model can't be trained or saved
/// afterwards.
int64_t fold_batch_norm(Model& model);

/// Stores the weights of convolutions and linear layers in `dtype`, for inference on activations of
/// that dtype: no forward pass casts them again, and bf16 halves their memory. The model can't be
/// trained or saved afterwards.
void store_weights_in(Model& model, DType dtype);

}  // namespace burin::models
