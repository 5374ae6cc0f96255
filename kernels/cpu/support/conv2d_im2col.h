#pragma once

#include "burin/kernels/conv2d.h"

namespace burin::cpu {

// Convolution as matrix products of tiles: `rows` pixels' neighbourhoods are gathered as the rows
// of a float matrix [rows, taps · channels] and multiplied by the weights. 1×1 on dense f32 images
// is multiplied where it lies.

/// Preferred to the vendor's where filter positions fall completely into the padding and are left
/// out: a padded 3×3 filter on images of one pixel is a 1×1 filter.
bool im2col_prefers(const Conv2dForward& op, const Context& context);
bool im2col_prefers(const Conv2dBackwardData& op, const Context& context);
bool im2col_prefers(const Conv2dBackwardWeight& op, const Context& context);

size_t im2col_forward_workspace(const Conv2dForward& op, const Context& context);
void im2col_forward(const Conv2dForward& op, Workspace workspace, Stream& stream);

size_t im2col_backward_data_workspace(const Conv2dBackwardData& op, const Context& context);
void im2col_backward_data(const Conv2dBackwardData& op, Workspace workspace, Stream& stream);

size_t im2col_backward_weight_workspace(const Conv2dBackwardWeight& op, const Context& context);
void im2col_backward_weight(const Conv2dBackwardWeight& op, Workspace workspace, Stream& stream);

}  // namespace burin::cpu
