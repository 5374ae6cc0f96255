#pragma once

#include "burin/kernels/conv2d.h"

namespace burin::cpu {

// Forward convolution of nhwc images as a product of matrices that are nowhere gathered: the S · C
// inputs under a row of the filter lie side by side, so a row of the left matrix is read where it
// is. One group, and no dilation along a row.

Refusal implicit_gemm_accepts(const Conv2dForward& op, const Context& context);
/// Where filters outweigh the images by far: they are fetched while the ones before are multiplied.
bool implicit_gemm_prefers(const Conv2dForward& op, const Context& context);
size_t implicit_gemm_workspace(const Conv2dForward& op, const Context& context);
void implicit_gemm_run(const Conv2dForward& op, Workspace workspace, Stream& stream);

}  // namespace burin::cpu
