#pragma once

#include "burin/kernels/conv2d.h"

namespace burin::cpu {

// Winograd's F(4×4, 3×3) on nhwc images: 3×3 filters with stride 1, a quarter of the products.
// See winograd_transform.h for the formulas.

Refusal winograd_accepts(const Conv2dForward& op, const Context& context);
bool winograd_prefers(const Conv2dForward& op, const Context& context);
size_t winograd_workspace(const Conv2dForward& op, const Context& context);
void winograd_run(const Conv2dForward& op, Workspace workspace, Stream& stream);

/// A forward pass over dy with the filter turned by 180° and its channels swapped.
Refusal winograd_accepts(const Conv2dBackwardData& op, const Context& context);
bool winograd_prefers(const Conv2dBackwardData& op, const Context& context);
size_t winograd_workspace(const Conv2dBackwardData& op, const Context& context);
void winograd_run(const Conv2dBackwardData& op, Workspace workspace, Stream& stream);

Refusal winograd_accepts(const Conv2dBackwardWeight& op, const Context& context);
bool winograd_prefers(const Conv2dBackwardWeight& op, const Context& context);
size_t winograd_workspace(const Conv2dBackwardWeight& op, const Context& context);
void winograd_run(const Conv2dBackwardWeight& op, Workspace workspace, Stream& stream);

}  // namespace burin::cpu
