// Convolution, handwritten, in three directions. From plain to fast; `--impl conv2d=cpu/<name>`
// runs one.
//   direct      six loops, the twin of the definition in kernels/check/conv2d.cpp
//   depthwise   one filter a channel on nhwc images, channels side by side in vectors
//   depthwise_seven   the same where the filter is seven wide and channels fill vectors: its weight
//               gradient stands before the vendor's
//   im2col      neighbourhoods gathered in tiles, multiplied by GEMM
//   winograd    F(4×4, 3×3) for 3×3 filters with stride 1 on nhwc images: a quarter of the products
//   implicit_gemm   forward on nhwc images, multiplied where they lie: before the vendor's where
//               filters outweigh the images
#include "burin/kernels/conv2d.h"

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/conv2d_depthwise.h"
#include "burin/kernels/cpu/support/conv2d_im2col.h"
#include "burin/kernels/cpu/support/conv2d_implicit_gemm.h"
#include "burin/kernels/cpu/support/conv2d_winograd.h"
#include "burin/kernels/cpu/support/epilogue.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

/// cpu/winograd of one direction.
template <class Op>
Implementation<Op> winograd() {
  return {.name = "cpu/winograd",
          .place = place::before_vendor,
          .accepts = winograd_accepts,
          .prefers = winograd_prefers,
          .workspace_bytes = winograd_workspace,
          .run = winograd_run};
}

/// cpu/depthwise of one direction.
template <class Op>
Implementation<Op> depthwise() {
  return {.name = "cpu/depthwise",
          .accepts = depthwise_accepts,
          .workspace_bytes = depthwise_workspace,
          .run = depthwise_run};
}

Refusal accepts(const ConstView& one, const ConstView& other, const ConstView& result) {
  const DType dtype = one.dtype;
  if (!is_floating(dtype)) return str("dtype ", dtype);
  if (other.dtype != dtype) return str("operands are ", dtype, " and ", other.dtype);
  if (result.dtype != dtype && result.dtype != DType::f32) {
    return str("result is ", result.dtype, " of ", dtype);
  }
  for (const ConstView& view : {one, other, result}) {
    if (view.numel() == 0) return str(view.shape, " is empty");
  }
  return {};
}

Refusal accepts_forward(const Conv2dForward& op, const Context& /*context*/) {
  if (op.y.dtype != op.x.dtype) return str("x is ", op.x.dtype, ", y is ", op.y.dtype);
  return accepts(op.x, op.w, op.y);
}

Refusal accepts_backward_data(const Conv2dBackwardData& op, const Context& /*context*/) {
  if (op.dx.dtype != op.dy.dtype) return str("dy is ", op.dy.dtype, ", dx is ", op.dx.dtype);
  return accepts(op.dy, op.w, op.dx);
}

Refusal accepts_backward_weight(const Conv2dBackwardWeight& op, const Context& /*context*/) {
  return accepts(op.dy, op.x, op.dw);
}

/// The element of a rank-4 view.
template <class T, class AnyView>
auto& at(const AnyView& view, int64_t a, int64_t b, int64_t c, int64_t d) {
  const Strides& s = view.strides;
  return view.template as<T>()[a * s[0] + b * s[1] + c * s[2] + d * s[3]];
}

// Sums are added up in three levels, a tap's, a row's, an image's: in one chain of many thousand
// additions the rounding errors would show.

template <class T>
void direct_forward(const Conv2dForward& op) {
  const Conv2dParams& params = op.params;
  const int64_t K = op.y.dim(1), P = op.y.dim(2), Q = op.y.dim(3);
  const int64_t H = op.x.dim(2), W = op.x.dim(3);
  const int64_t group_c = op.w.dim(1), R = op.w.dim(2), S = op.w.dim(3);
  const Strides& y = op.y.strides;
  parallel_for(op.y.dim(0) * K, 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const int64_t n = plane / K, k = plane % K;
      const int64_t first_c = k / (K / params.groups) * group_c;
      for (int64_t pixel = 0; pixel < P * Q; ++pixel) {
        const int64_t p = pixel / Q, q = pixel % Q;
        float sum = 0;
        for (int64_t tap = 0; tap < R * S; ++tap) {
          const int64_t r = tap / S, s = tap % S;
          const int64_t h = p * params.stride_h - params.pad_h + r * params.dilation_h;
          const int64_t w = q * params.stride_w - params.pad_w + s * params.dilation_w;
          if (h < 0 || h >= H || w < 0 || w >= W) continue;
          float tap_sum = 0;
          for (int64_t c = 0; c < group_c; ++c) {
            tap_sum += static_cast<float>(at<T>(op.x, n, first_c + c, h, w)) *
                       static_cast<float>(at<T>(op.w, k, c, r, s));
          }
          sum += tap_sum;
        }
        const int64_t offset = n * y[0] + k * y[1] + p * y[2] + q * y[3];
        finish_element(sum, EpilogueAt<T>::from(op.epilogue, offset, k), op.y.as<T>() + offset);
      }
    }
  });
}

template <class T>
void direct_backward_data(const Conv2dBackwardData& op) {
  const Conv2dParams& params = op.params;
  const int64_t C = op.dx.dim(1), H = op.dx.dim(2), W = op.dx.dim(3);
  const int64_t K = op.dy.dim(1), P = op.dy.dim(2), Q = op.dy.dim(3);
  const int64_t group_c = op.w.dim(1), R = op.w.dim(2), S = op.w.dim(3);
  const int64_t group_k = K / params.groups;
  const Strides& dx = op.dx.strides;
  parallel_for(op.dx.dim(0) * C, 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const int64_t n = plane / C, c = plane % C, first_k = c / group_c * group_k;
      for (int64_t pixel = 0; pixel < H * W; ++pixel) {
        const int64_t h = pixel / W, w = pixel % W;
        float sum = 0;
        for (int64_t tap = 0; tap < R * S; ++tap) {
          const int64_t r = tap / S, s = tap % S;
          // The output (p, q) whose tap (r, s) lies on (h, w), if there is one.
          const int64_t down = h + params.pad_h - r * params.dilation_h;
          const int64_t right = w + params.pad_w - s * params.dilation_w;
          const int64_t p = down / params.stride_h, q = right / params.stride_w;
          const bool on_grid = down % params.stride_h == 0 && right % params.stride_w == 0;
          if (!on_grid || down < 0 || p >= P || right < 0 || q >= Q) continue;
          float tap_sum = 0;
          for (int64_t k = first_k; k < first_k + group_k; ++k) {
            tap_sum += static_cast<float>(at<T>(op.dy, n, k, p, q)) *
                       static_cast<float>(at<T>(op.w, k, c % group_c, r, s));
          }
          sum += tap_sum;
        }
        const int64_t offset = n * dx[0] + c * dx[1] + h * dx[2] + w * dx[3];
        finish_element(sum, EpilogueAt<T>::from({.residual = op.residual}, offset, c),
                       op.dx.as<T>() + offset);
      }
    }
  });
}

/// Σ over the image n of dy[n, k] · x[n, channel], x shifted to tap (r, s).
template <class T>
float direct_weight_of_image(const Conv2dBackwardWeight& op, int64_t n, int64_t k, int64_t channel,
                             int64_t r, int64_t s) {
  const Conv2dParams& params = op.params;
  const int64_t P = op.dy.dim(2), Q = op.dy.dim(3), H = op.x.dim(2), W = op.x.dim(3);
  float sum = 0;
  for (int64_t p = 0; p < P; ++p) {
    const int64_t h = p * params.stride_h - params.pad_h + r * params.dilation_h;
    if (h < 0 || h >= H) continue;
    float row_sum = 0;
    for (int64_t q = 0; q < Q; ++q) {
      const int64_t w = q * params.stride_w - params.pad_w + s * params.dilation_w;
      if (w < 0 || w >= W) continue;
      row_sum += static_cast<float>(at<T>(op.dy, n, k, p, q)) *
                 static_cast<float>(at<T>(op.x, n, channel, h, w));
    }
    sum += row_sum;
  }
  return sum;
}

template <class T>
void direct_backward_weight(const Conv2dBackwardWeight& op) {
  const int64_t K = op.dw.dim(0), group_c = op.dw.dim(1), R = op.dw.dim(2), S = op.dw.dim(3);
  const int64_t group_k = K / op.params.groups;
  parallel_for(K * group_c, 1, [&](int64_t begin, int64_t end) {
    for (int64_t filter = begin; filter < end; ++filter) {
      const int64_t k = filter / group_c, c = filter % group_c;
      const int64_t channel = k / group_k * group_c + c;
      for (int64_t tap = 0; tap < R * S; ++tap) {
        const int64_t r = tap / S, s = tap % S;
        float sum = 0;
        for (int64_t n = 0; n < op.x.dim(0); ++n) {
          sum += direct_weight_of_image<T>(op, n, k, channel, r, s);
        }
        visit_floating(op.dw.dtype, [&](auto tag) {
          using U = typename decltype(tag)::type;
          at<U>(op.dw, k, c, r, s) = U(sum);
        });
      }
    }
  });
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_conv2d(Registry& registry) {
  registry.add<Conv2dForward>({.name = "cpu/im2col",
                               .place = place::before_vendor,
                               .accepts = cpu::accepts_forward,
                               .prefers = cpu::im2col_prefers,
                               .workspace_bytes = cpu::im2col_forward_workspace,
                               .run = cpu::im2col_forward});
  registry.add<Conv2dBackwardData>({.name = "cpu/im2col",
                                    .place = place::before_vendor,
                                    .accepts = cpu::accepts_backward_data,
                                    .prefers = cpu::im2col_prefers,
                                    .workspace_bytes = cpu::im2col_backward_data_workspace,
                                    .run = cpu::im2col_backward_data});
  registry.add<Conv2dBackwardWeight>({.name = "cpu/im2col",
                                      .place = place::before_vendor,
                                      .accepts = cpu::accepts_backward_weight,
                                      .prefers = cpu::im2col_prefers,
                                      .workspace_bytes = cpu::im2col_backward_weight_workspace,
                                      .run = cpu::im2col_backward_weight});

  registry.add(cpu::winograd<Conv2dForward>());
  registry.add(cpu::winograd<Conv2dBackwardData>());
  registry.add(cpu::winograd<Conv2dBackwardWeight>());

  registry.add<Conv2dForward>({.name = "cpu/implicit_gemm",
                               .place = place::before_vendor,
                               .accepts = cpu::implicit_gemm_accepts,
                               .prefers = cpu::implicit_gemm_prefers,
                               .workspace_bytes = cpu::implicit_gemm_workspace,
                               .run = cpu::implicit_gemm_run});

  registry.add(cpu::depthwise<Conv2dForward>());
  registry.add(cpu::depthwise<Conv2dBackwardData>());
  registry.add(cpu::depthwise<Conv2dBackwardWeight>());
  registry.add<Conv2dBackwardWeight>({.name = "cpu/depthwise_seven",
                                      .place = place::before_vendor,
                                      .accepts = cpu::depthwise_seven_accepts,
                                      .run = cpu::depthwise_run});

  registry.add<Conv2dForward>({.name = "cpu/direct",
                               .place = place::plain,
                               .accepts = cpu::accepts_forward,
                               .run = [](const Conv2dForward& op, Workspace, Stream&) {
                                 visit_floating(op.x.dtype, [&](auto tag) {
                                   cpu::direct_forward<typename decltype(tag)::type>(op);
                                 });
                               }});
  registry.add<Conv2dBackwardData>({.name = "cpu/direct",
                                    .place = place::plain,
                                    .accepts = cpu::accepts_backward_data,
                                    .run = [](const Conv2dBackwardData& op, Workspace, Stream&) {
                                      visit_floating(op.dy.dtype, [&](auto tag) {
                                        using T = typename decltype(tag)::type;
                                        cpu::direct_backward_data<T>(op);
                                      });
                                    }});
  registry.add<Conv2dBackwardWeight>(
      {.name = "cpu/direct",
       .place = place::plain,
       .accepts = cpu::accepts_backward_weight,
       .run = [](const Conv2dBackwardWeight& op, Workspace, Stream&) {
         visit_floating(op.x.dtype, [&](auto tag) {
           cpu::direct_backward_weight<typename decltype(tag)::type>(op);
         });
       }});
}

}  // namespace burin
