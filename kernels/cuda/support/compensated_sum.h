#pragma once

#include "burin/kernels/cuda/support/launch.h"

namespace burin::cuda {

/// Adds in f32 without losing the digits of a long sum. Kahan 1965, "Further remarks on reducing
/// truncation errors". Where doubles are slow, this is not.
struct CompensatedSum {
  float sum = 0;
  float lost = 0;

  __device__ void add(float value) {
    const float corrected = value - lost;
    const float next = sum + corrected;
    lost = isfinite(next) ? (next - sum) - corrected : 0.0f;  // ∞ stays ∞
    sum = next;
  }
  /// With what the last additions lost: for joining threads' sums in double, of which there are
  /// few.
  __device__ double total() const { return static_cast<double>(sum) - static_cast<double>(lost); }
};

/// The same for threads with few thousand terms each, in four additions a term and no test: what an
/// addition loses is summed beside, not fed back, so ∞ stays ∞. Babuška 1969, "Numerical stability
/// in mathematical analysis"; Neumaier 1974 bounds the error by u · |Σ| + (n · u)² · Σ |term|.
struct SumAndRest {
  float sum = 0;
  float rest = 0;

  __device__ void add(float value) {
    const float next = sum + value;
    rest += (sum - next) + value;
    sum = next;
  }
  __device__ double total() const {
    return static_cast<double>(sum) + (isfinite(rest) ? static_cast<double>(rest) : 0.0);
  }
};

}  // namespace burin::cuda
