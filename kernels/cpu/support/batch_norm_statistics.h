#pragma once

#include <cmath>

#include "burin/kernels/cpu/support/channel_moments.h"

namespace burin::cpu {

/// Writes what a training step keeps of the statistics of op.x, and
/// scale[c] = inverse_std[c] · weight[c]. Takes channel_moments_bytes() of the workspace.
template <class Op>
void keep_statistics(const Op& op, const Geometry& g, Workspace& workspace, float* scale) {
  const double n = static_cast<double>(g.per_channel());
  const Moments* const moments = visit_floating(op.x.dtype, [&](auto tag) {
    return channel_moments(op.x.template as<typename decltype(tag)::type>(), g, workspace);
  });
  const float keep = 1 - op.momentum;
  for (int64_t c = 0; c < g.channels; ++c) {
    const double variance = moments[c].squares / n;
    const auto inverse_std = static_cast<float>(1 / std::sqrt(variance + op.epsilon));
    op.mean.template as<float>()[c] = static_cast<float>(moments[c].mean);
    op.inverse_std.template as<float>()[c] = inverse_std;
    scale[c] = inverse_std * op.weight.template as<float>()[c];
    if (op.running_mean) {
      float& running = op.running_mean.template as<float>()[c];
      running = keep * running + op.momentum * static_cast<float>(moments[c].mean);
    }
    if (op.running_variance) {
      float& running = op.running_variance.template as<float>()[c];
      running = keep * running + op.momentum * static_cast<float>(moments[c].squares / (n - 1));
    }
  }
  if (op.num_batches_tracked) ++*op.num_batches_tracked.template as<int64_t>();
}

}  // namespace burin::cpu
