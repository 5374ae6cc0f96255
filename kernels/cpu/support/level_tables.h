#pragma once

#include <array>
#include <vector>

#include "burin/kernels/base/view.h"

namespace burin::cpu {
// Every x86-64 level compiles its own copy: nothing here may be shared between them by the linker.
namespace {

/// (level / 255 − mean) / std for the 256 values that a u8 channel can take, computed once: then a
/// pixel is a look-up, and exact. One table a channel; mean and std are [C] f32.
template <class T>
std::vector<std::array<T, 256>> level_tables(const ConstView& mean, const ConstView& std) {
  std::vector<std::array<T, 256>> result(static_cast<size_t>(mean.dim(0)));
  for (size_t c = 0; c < result.size(); ++c) {
    const float centre = mean.as<float>()[c];
    const float spread = std.as<float>()[c];
    for (size_t level = 0; level < 256; ++level) {
      result[c][level] = T((static_cast<float>(level) / 255.0f - centre) / spread);
    }
  }
  return result;
}

}  // namespace
}  // namespace burin::cpu
