#pragma once

#include "burin/kernels/cpu/support/activation_functions.h"
#include "burin/kernels/cpu/support/row_vectors.h"
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

namespace {

/// y[i] = activation(sum[i] + bias[i] + residual[i]) for neighbouring channels; y may be sum.
template <class T>
void finish_channels(const float* sum, const EpilogueAt<T>& epilogue, T* y, int64_t channels) {
  with_activation(epilogue.activation, [&](auto f, auto /*gradient*/) {
    for_stretches(0, channels, [&](int64_t first, int64_t count) {
      Vector value = load_channels(sum + first, count);
      if (epilogue.bias != nullptr) value += load_channels(epilogue.bias + first, count);
      if (epilogue.residual != nullptr) value += load_channels(epilogue.residual + first, count);
      store_channels(y + first, f(value), count);
    });
  });
}

/// The same of a single one.
template <class T>
void finish_element(float sum, const EpilogueAt<T>& epilogue, T* y) {
  if (epilogue.bias != nullptr) sum += *epilogue.bias;
  if (epilogue.residual != nullptr) sum += static_cast<float>(*epilogue.residual);
  with_activation(epilogue.activation,
                  [&](auto f, auto /*gradient*/) { *y = T(f(Vector{} + sum)[0]); });
}

}  // namespace
}  // namespace burin::cpu
