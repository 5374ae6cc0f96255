#pragma once

#include "burin/models/model.h"

namespace burin::models {

/// Prepares a model for inference: evaluation mode, no gradients, every batch norm that follows a
/// convolution merged into it. Returns how many were. The model can't be trained or saved
/// afterwards.
int64_t fold_batch_norm(Model& model);

}  // namespace burin::models
