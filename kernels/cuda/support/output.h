#pragma once

#include "burin/kernels/cuda/support/activation_functions.h"
#include "burin/kernels/cuda/support/packet.h"
#include "burin/kernels/epilogue.h"

namespace burin::cuda {

/// Where the sums of a product go: y = activation(sum + bias + residual). y and the residual are T
/// or f32.
template <class T>
struct Output {
  void* y;
  const void* residual;  // or null; strides of y
  const float* bias;     // or null
  Activation activation;
  bool is_f32;
  bool packets;  // eight neighbours may be written at once, where the offset is a multiple of eight

  /// `packets` are for the caller to find out.
  static Output of(const View& y, const Epilogue& epilogue, bool packets) {
    return {y.data,
            epilogue.residual.data,
            epilogue.bias.as<float>(),
            epilogue.activation,
            y.dtype == DType::f32,
            packets && is_aligned(y) && is_aligned(epilogue.residual)};
  }

  /// Nothing is done to the sums but rounding them to T, 16 bits, eight neighbours at once.
  __host__ __device__ bool is_rounded() const {
    return packets && !is_f32 && sizeof(T) == 2 && bias == nullptr && residual == nullptr &&
           activation == Activation::none;
  }
  __device__ void store(int64_t offset, const Eight<T>& eight) const {
    eight.store(static_cast<T*>(y) + offset);
  }

  __device__ float value(int64_t offset, int channel, float sum) const {
    if (bias != nullptr) sum += bias[channel];
    if (residual != nullptr) {
      sum += is_f32 ? static_cast<const float*>(residual)[offset]
                    : float(static_cast<const T*>(residual)[offset]);
    }
    return activate(activation, sum);
  }

  __device__ void store(int64_t offset, int channel, float sum) const {
    const float result = value(offset, channel, sum);
    if (is_f32) {
      static_cast<float*>(y)[offset] = result;
    } else {
      static_cast<T*>(y)[offset] = T(result);
    }
  }

  /// Stores the first `count` of eight neighbouring channels.
  __device__ void store_row(int64_t offset, int channel, const float* sums, int count) const {
    if (!packets || count < 8 || is_f32 || sizeof(T) != 2) {
      for (int i = 0; i < count && i < 8; ++i) store(offset + i, channel + i, sums[i]);
      return;
    }
    float v[8];
    for (int i = 0; i < 8; ++i) v[i] = sums[i] + (bias == nullptr ? 0.0f : bias[channel + i]);
    if (residual != nullptr) {
      const auto add =
          *reinterpret_cast<const Packet<T>*>(static_cast<const T*>(residual) + offset);
      for (int i = 0; i < Packet<T>::size; ++i) v[i] += float(add.at[i]);
    }
    activate(activation, v);
    Packet<T> out;
    for (int i = 0; i < Packet<T>::size; ++i) out.at[i] = T(v[i]);
    *reinterpret_cast<Packet<T>*>(static_cast<T*>(y) + offset) = out;
  }
};

}  // namespace burin::cuda
