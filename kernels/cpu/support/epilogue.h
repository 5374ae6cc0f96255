#pragma once

#include "burin/kernels/cpu/support/activation_functions.h"
#include "burin/kernels/epilogue.h"

namespace burin::cpu {

/// The epilogue with its operands as pointers to where an output's first element has its own.
template <class T>
struct EpilogueAt {
  const float* bias;  // null where absent
  const T* residual;
  Activation activation;

  /// `offset` is that of the output's first element in y, `channel` its channel.
  static EpilogueAt from(const Epilogue& epilogue, int64_t offset, int64_t channel) {
    return {epilogue.bias ? epilogue.bias.as<float>() + channel : nullptr,
            epilogue.residual ? epilogue.residual.as<T>() + offset : nullptr, epilogue.activation};
  }
};

/// y[i] = activation(sum[i] + bias[i] + residual[i]) for neighbouring channels; y may be sum.
template <class T>
void finish_channels(const float* sum, const EpilogueAt<T>& epilogue, T* y, int64_t channels) {
  with_activation(epilogue.activation, [&](auto f, auto /*gradient*/) {
    const float* const bias = epilogue.bias;
    const T* const residual = epilogue.residual;
    if (bias != nullptr && residual != nullptr) {
      for (int64_t i = 0; i < channels; ++i) {
        y[i] = T(f(sum[i] + bias[i] + static_cast<float>(residual[i])));
      }
    } else if (bias != nullptr) {
      for (int64_t i = 0; i < channels; ++i) y[i] = T(f(sum[i] + bias[i]));
    } else if (residual != nullptr) {
      for (int64_t i = 0; i < channels; ++i) {
        y[i] = T(f(sum[i] + static_cast<float>(residual[i])));
      }
    } else {
      for (int64_t i = 0; i < channels; ++i) y[i] = T(f(sum[i]));
    }
  });
}

}  // namespace burin::cpu
