#pragma once

#include <algorithm>
#include <vector>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/pool2d.h"

namespace burin::cpu {

/// Positions [begin, end) along one axis.
struct Range {
  int64_t begin = 0, end = 0;
};

/// One spatial axis of a pooling.
struct Axis {
  int64_t extent, outputs, kernel, stride, pad;

  /// Input positions of window p that lie inside.
  Range window(int64_t p) const {
    const int64_t start = p * stride - pad;
    return {std::max<int64_t>(start, 0), std::min(start + kernel, extent)};
  }
  /// The outputs whose windows contain input position h.
  Range outputs_over(int64_t h) const {
    const int64_t first = h + pad < kernel ? 0 : (h + pad - kernel) / stride + 1;
    return {first, std::min((h + pad) / stride + 1, outputs)};
  }
  /// The outputs whose window position s lies inside.
  Range outputs_at(int64_t s) const {
    const int64_t first = s < pad ? ceil_div(pad - s, stride) : 0;
    const int64_t last = extent + pad > s ? ceil_div(extent + pad - s, stride) : 0;
    return {first, std::min(last, outputs)};
  }
};

struct Axes {
  Axis h, w;
};

inline Axes axes_of(const ConstView& input, const ConstView& output, const Pool2dParams& params) {
  return {
      {input.dim(2), output.dim(2), params.kernel_h, params.stride_h, params.pad_h},
      {input.dim(3), output.dim(3), params.kernel_w, params.stride_w, params.pad_w},
  };
}

/// One spatial axis of an average: its windows, what each divides by, and the outputs above an
/// input position. Plain and adaptive averages differ in nothing else.
struct AverageAxis {
  std::vector<Range> windows, outputs_over;
  std::vector<float> divisor;

  /// From the windows of all outputs, in order.
  void find_outputs_over(int64_t extent) {
    for (int64_t h = 0; h < extent; ++h) {
      Range over{static_cast<int64_t>(windows.size()), 0};
      for (size_t p = 0; p < windows.size(); ++p) {
        if (h < windows[p].begin || h >= windows[p].end) continue;
        over.begin = std::min(over.begin, static_cast<int64_t>(p));
        over.end = static_cast<int64_t>(p) + 1;
      }
      outputs_over.push_back(over);
    }
  }
};

inline AverageAxis average_axis(const Axis& axis, bool count_include_pad) {
  AverageAxis result;
  for (int64_t p = 0; p < axis.outputs; ++p) {
    const Range window = axis.window(p);
    const int64_t start = p * axis.stride - axis.pad;
    // The padding counts, but never what ceil_mode reaches beyond it.
    const int64_t padded = std::min(axis.kernel, axis.extent + axis.pad - start);
    result.windows.push_back(window);
    result.divisor.push_back(
        static_cast<float>(count_include_pad ? padded : window.end - window.begin));
  }
  result.find_outputs_over(axis.extent);
  return result;
}

inline AverageAxis adaptive_axis(int64_t extent, int64_t outputs) {
  AverageAxis result;
  for (int64_t p = 0; p < outputs; ++p) {
    result.windows.push_back({p * extent / outputs, ceil_div((p + 1) * extent, outputs)});
    const Range& window = result.windows.back();
    result.divisor.push_back(static_cast<float>(window.end - window.begin));
  }
  result.find_outputs_over(extent);
  return result;
}

}  // namespace burin::cpu
