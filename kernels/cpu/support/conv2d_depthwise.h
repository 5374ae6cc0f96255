#pragma once

#include "burin/kernels/conv2d.h"

namespace burin::cpu {

// Depthwise convolution on nhwc images: a filter for each channel, channels side by side in
// vectors. As matrices these would have one row and one column.

Refusal depthwise_accepts(const Conv2dForward& op, const Context& context);
size_t depthwise_workspace(const Conv2dForward& op, const Context& context);
void depthwise_run(const Conv2dForward& op, Workspace workspace, Stream& stream);

Refusal depthwise_accepts(const Conv2dBackwardData& op, const Context& context);
size_t depthwise_workspace(const Conv2dBackwardData& op, const Context& context);
void depthwise_run(const Conv2dBackwardData& op, Workspace workspace, Stream& stream);

Refusal depthwise_accepts(const Conv2dBackwardWeight& op, const Context& context);
size_t depthwise_workspace(const Conv2dBackwardWeight& op, const Context& context);
void depthwise_run(const Conv2dBackwardWeight& op, Workspace workspace, Stream& stream);
/// Filters seven wide with steps of one pixel and whole vectors of channels only, ConvNeXt's: there
/// it beats oneDNN several times over.
Refusal depthwise_seven_accepts(const Conv2dBackwardWeight& op, const Context& context);

}  // namespace burin::cpu
