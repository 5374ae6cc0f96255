#pragma once

#include <cuda_runtime_api.h>

#include "burin/kernels/base/error.h"

namespace burin::cuda {

/// Throws Error with CUDA's words and the caller's place unless `status` is success; OutOfMemory if
/// that is what it says.
void cuda_check(cudaError_t status, Where where = Where::current());

}  // namespace burin::cuda
