#pragma once

#include "burin/kernels/conv2d.h"
#include "burin/kernels/cpu/support/winograd_tiles.h"

namespace burin::cpu {

/// Why the transforms don't fit this problem, or nothing: 3×3, stride 1, nhwc. In images that leave
/// most of a tile to the padding they cost more than they save, and their rounding, which drowns in
/// that of a long sum, shows.
inline Refusal winograd_limits(const ConstView& in, const ConstView& w, const ConstView& out,
                               const Conv2dParams& p) {
  if (!is_floating(in.dtype)) return str("dtype ", in.dtype);
  if (w.dim(2) != 3 || w.dim(3) != 3) return str("filter ", w.dim(2), 'x', w.dim(3), ", not 3x3");
  if (p.stride_h != 1 || p.stride_w != 1) return "stride is not 1";
  if (p.dilation_h != 1 || p.dilation_w != 1) return "dilation is not 1";
  if (p.groups != 1) return str(p.groups, " groups");
  if (p.pad_h > 2 || p.pad_w > 2) return "pad is more than 2";
  if (!in.is_dense(Layout::nhwc) || !out.is_dense(Layout::nhwc)) return "images are not nhwc";
  if (std::max(in.dim(2), in.dim(3)) <= 2) {
    return str("images of ", in.dim(2), 'x', in.dim(3), " are less than half a tile wide");
  }
  return {};
}

/// The same for directions that add up over the channels of `in`: over few of them it is likewise.
inline Refusal winograd_limits_over_channels(const ConstView& in, const ConstView& w,
                                             const ConstView& out, const Conv2dParams& p) {
  constexpr int64_t fewest = 32;
  Refusal refusal = winograd_limits(in, w, out, p);
  if (refusal.empty() && in.dim(1) < fewest) {
    refusal = str("sums over ", in.dim(1), " channels, fewer than ", fewest);
  }
  return refusal;
}

/// Whether the saved products pay for the transforms, counted in multiply-adds for each pair of
/// channels. `filter_cost` is what transforming, writing and reading an element of a transformed
/// filter costs in multiply-adds: it decides for small images, whose filters are used little.
inline bool winograd_pays(const ConstView& image, DType dtype, int64_t filter_cost) {
  // With AVX-512, vendors have instructions of their own for 16-bit products.
  if (dtype != DType::f32 && lanes == 16) return false;
  const TileGrid grid(image.dim(0), image.dim(2), image.dim(3));
  const int64_t direct = 9 * image.dim(0) * image.dim(2) * image.dim(3);
  return 10 * frequencies * (grid.count + filter_cost) < 8 * direct;
}

}  // namespace burin::cpu
