#pragma once

#include "burin/kernels/cuda/support/conv2d.h"
#include "burin/kernels/cuda/support/conv2d_stem.h"
#include "burin/kernels/cuda/support/conv2d_tensor_products.h"
#include "burin/kernels/cuda/support/matmul.h"

namespace burin::cuda {

inline bool is_pointwise(const Conv2dGeometry& g) {
  return g.R == 1 && g.S == 1 && g.stride_h == 1 && g.stride_w == 1 && g.pad_h == 0 &&
         g.pad_w == 0 && g.groups == 1;
}

/// [N, C, H, W] in nhwc as the matrix [N·H·W, C].
template <class V>
V as_matrix(const V& view) {
  V matrix = view;
  matrix.shape = {view.dim(0) * view.dim(2) * view.dim(3), view.dim(1)};
  matrix.strides = {view.dim(1), 1};
  return matrix;
}

inline Matmul forward_as_matmul(const Conv2dForward& op) {
  ConstView w = op.w;
  w.shape = {op.w.dim(1), op.w.dim(0)};
  w.strides = {1, op.w.dim(1)};
  Epilogue epilogue = op.epilogue;
  if (epilogue.residual) epilogue.residual = as_matrix(epilogue.residual);
  return {as_matrix(op.x), w, as_matrix(op.y), epilogue};
}
inline Matmul backward_data_as_matmul(const Conv2dBackwardData& op) {
  ConstView w = op.w;
  w.shape = {op.w.dim(0), op.w.dim(1)};
  w.strides = {op.w.dim(1), 1};
  Epilogue epilogue;
  if (op.residual) epilogue.residual = as_matrix(op.residual);
  return {as_matrix(op.dy), w, as_matrix(op.dx), epilogue};
}

/// Forward as a product. g is op's geometry, or that of the copies that x and w are.
template <class T>
ForwardProduct<T> forward_product(const Conv2dForward& op, const Conv2dGeometry& g, const T* x,
                                  const T* w, int channels) {
  const TapOrder order = TapOrder::of(TapOrder::depth_of(channels), g.S, g.R, tile_depth);
  const Neighbourhoods<T> left{x,
                               g.H,
                               g.W,
                               channels,
                               Digits::of(g.Q, g.P, 32),
                               static_cast<int>(g.pixels()),
                               order,
                               {g.stride_h, -g.pad_h, g.dilation_h},
                               {g.stride_w, -g.pad_w, g.dilation_w}};
  return {left,
          {w, g.K, channels, order},
          Output<T>::of(op.y, op.epilogue, g.K % 8 == 0),
          static_cast<int>(g.pixels()),
          g.K,
          g.R * g.S * channels};
}

/// What all directions and forms ask for. `image` is the operand that is gathered.
inline Refusal tensor_cores_refuse(const Conv2dGeometry& g, const ConstView& image,
                                   const ConstView& other, const ConstView& filter) {
  if (image.dtype != DType::bf16 && image.dtype != DType::f16) return str("dtype ", image.dtype);
  if (g.groups != 1) return "more than one group";
  if (g.R > 16 || g.S > 16) return "a filter of more than 16 taps along an axis";
  const bool nhwc =
      image.is_dense(Layout::nhwc) && other.is_dense(Layout::nhwc) && filter.is_dense(Layout::nhwc);
  if (!nhwc) return "an operand is not dense in nhwc";
  if (!is_aligned(image) || !is_aligned(other) || !is_aligned(filter)) {
    return "an operand does not begin at 16 bytes";
  }
  return too_wide(g);
}
inline constexpr const char* odd_channels = "channels are no multiple of 8";

/// The directions and forms of a convolution on tensor cores, over the instructions that multiply.
/// Instructions says which:
///   Refusal refuses(context)                          empty where the GPU has them
///   void launch(product, M, N, K, count, stream)      `count` products, K on average
///   PixelSplit split(pixels, M, N, device)            of the sums of an M×N weight gradient
///   void multiply(const Matmul&, Stream&)             for 1×1
///   const char *name, *stem_name, *matmul_name        of the implementations
template <class Instructions>
struct Conv2dRungs {
  static void add_all(Registry& registry);

 private:
  template <class T>
  static void run_forward(const Conv2dForward& op, const Conv2dGeometry& g, const T* x, const T* w,
                          int channels, Stream& stream) {
    const ForwardProduct<T> product = forward_product(op, g, x, w, channels);
    Instructions::launch(product, product.M, g.K, product.k_end, 1, stream);
  }

  template <class T>
  static void run_backward_data(const Conv2dBackwardData& op, Stream& stream) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    const TapOrder order = TapOrder::of(TapOrder::depth_of(g.K), 1, 1, tile_depth);
    const Neighbourhoods<T> left{op.dy.as<T>(), g.P, g.Q, g.K, {}, 0, order, {}, {}};
    const FilterColumns<T> right{op.w.as<T>(), g.R, g.S, g.C, order, 0, 1, 0, 1};
    const auto out = Output<T>::of(op.dx, {.residual = op.residual}, true);
    const BackwardDataProduct<T> product{left, right, out, g, g.C};
    const int64_t down = (g.H + g.stride_h - 1) / g.stride_h;
    const int64_t across = (g.W + g.stride_w - 1) / g.stride_w;
    const int64_t classes = int64_t{g.stride_h} * g.stride_w;
    const int64_t taps = (int64_t{g.R} * g.S + classes - 1) / classes;  // of an average class
    Instructions::launch(product, g.N * down * across, g.C, taps * g.K, classes, stream);
  }

  /// A weight gradient as a product sums over all pixels: an output channel a row, or, where those
  /// would leave half of a block empty, a tap's channel.
  static bool taps_are_rows(const Conv2dGeometry& g) { return g.K <= 64; }
  static PixelSplit split_of(const Conv2dGeometry& g, int channels, Device device) {
    const int64_t taps = int64_t{g.R} * g.S * channels;
    if (taps_are_rows(g)) return Instructions::split(g.pixels(), taps, g.K, device);
    return Instructions::split(g.pixels(), g.K, taps, device);
  }
  static size_t parts_elements(const Conv2dGeometry& g, int channels, Device device) {
    return static_cast<size_t>(int64_t{split_of(g, channels, device).count} * g.K * g.R * g.S *
                               channels);
  }

  /// Leaves as many parts as split_of() says.
  template <class T>
  static void run_backward_weight(const Conv2dBackwardWeight& op, const Conv2dGeometry& g,
                                  const T* x, int channels, float* parts, Stream& stream) {
    const PixelSplit split = split_of(g, channels, stream.device());
    const int taps = g.R * g.S * channels, pixels = static_cast<int>(g.pixels());
    using Gradient = ColumnMatrix<T>;
    using Image = TapColumns<T>;
    const Gradient dy{op.dy.as<T>(), g.K, g.K};
    const Image image{x, g, channels, Digits::of(g.Q, g.P, 32)};
    if (taps_are_rows(g)) {
      const BackwardWeightProduct<T, Image, Gradient> product{image,  dy,   parts, split,
                                                              pixels, taps, g.K};
      Instructions::launch(product, taps, g.K, split.pixels, split.count, stream);
    } else {
      const BackwardWeightProduct<T, Gradient, Image> product{dy,     image, parts, split,
                                                              pixels, g.K,   taps};
      Instructions::launch(product, g.K, taps, split.pixels, split.count, stream);
    }
  }

  static Refusal refuses(const Conv2dGeometry& g, const ConstView& image, const ConstView& other,
                         const ConstView& filter, const Context& context) {
    if (Refusal refusal = Instructions::refuses(context); !refusal.empty()) return refusal;
    return tensor_cores_refuse(g, image, other, filter);
  }

  // -- channels in multiples of 8 -----------------------------------------------------------------

  static Refusal accepts_forward(const Conv2dForward& op, const Context& context) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    if (Refusal refusal = refuses(g, op.x, op.y, op.w, context); !refusal.empty()) return refusal;
    return g.C % 8 == 0 ? "" : odd_channels;
  }
  static Refusal accepts_backward_data(const Conv2dBackwardData& op, const Context& context) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    if (Refusal refusal = refuses(g, op.dy, op.dx, op.w, context); !refusal.empty()) {
      return refusal;
    }
    return g.C % 8 == 0 && g.K % 8 == 0 ? "" : odd_channels;
  }
  static Refusal accepts_backward_weight(const Conv2dBackwardWeight& op, const Context& context) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    if (Refusal refusal = refuses(g, op.x, op.dy, op.dw, context); !refusal.empty()) {
      return refusal;
    }
    return g.C % 8 == 0 && g.K % 8 == 0 ? "" : odd_channels;
  }

  static void forward(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
    visit_16(op.x.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const Conv2dGeometry g = Conv2dGeometry::of(op);
      run_forward(op, g, op.x.as<T>(), op.w.as<T>(), g.C, stream);
    });
  }
  static void backward_data(const Conv2dBackwardData& op, Workspace /*workspace*/, Stream& stream) {
    visit_16(op.dy.dtype,
             [&](auto tag) { run_backward_data<typename decltype(tag)::type>(op, stream); });
  }
  static size_t parts_bytes(const Conv2dBackwardWeight& op, const Context& context) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    return Workspace::room_for<float>(parts_elements(g, g.C, context.stream.device()));
  }
  static void backward_weight(const Conv2dBackwardWeight& op, Workspace workspace, Stream& stream) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    auto* const parts = workspace.take<float>(parts_elements(g, g.C, stream.device()));
    visit_16(op.x.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      run_backward_weight(op, g, op.x.as<T>(), g.C, parts, stream);
    });
    add_weight_parts(parts, split_of(g, g.C, stream.device()).count, g.C, op, stream);
  }

  // -- other channels: padded copies --------------------------------------------------------------

  static constexpr const char* too_large_padded = "x with padded channels is too large";

  template <class Op>
  static bool has_odd_channels(const Op& op, const Context& /*context*/) {
    return Conv2dGeometry::of(op).C % 8 != 0;
  }

  static Refusal accepts_stem_forward(const Conv2dForward& op, const Context& context) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    if (Stem::of(g).image_elements() >= size_t{1} << 31) return too_large_padded;
    return refuses(g, op.x, op.y, op.w, context);
  }
  static size_t stem_forward_bytes(const Conv2dForward& op, const Context& /*context*/) {
    const Stem stem = Stem::of(Conv2dGeometry::of(op));
    return Workspace::room_for<uint16_t>(stem.image_elements()) +
           Workspace::room_for<uint16_t>(stem.filter_elements());
  }
  static void stem_forward(const Conv2dForward& op, Workspace workspace, Stream& stream) {
    const Stem stem = Stem::of(Conv2dGeometry::of(op));
    visit_16(op.x.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T* const x = workspace.take<T>(stem.image_elements());
      T* const w = workspace.take<T>(stem.filter_elements());
      copy_image(stem, op.x, x, stream);
      copy_filter(stem, op.w, w, stream);
      run_forward<T>(op, stem.g, x, w, stem.channels, stream);
    });
  }

  static Refusal accepts_stem_backward_weight(const Conv2dBackwardWeight& op,
                                              const Context& context) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    if (Stem::of(g).image_elements() >= size_t{1} << 31) return too_large_padded;
    if (Refusal refusal = refuses(g, op.x, op.dy, op.dw, context); !refusal.empty()) {
      return refusal;
    }
    return g.K % 8 == 0 ? "" : "output channels are no multiple of 8";
  }
  static size_t stem_backward_weight_bytes(const Conv2dBackwardWeight& op, const Context& context) {
    const Stem stem = Stem::of(Conv2dGeometry::of(op));
    return Workspace::room_for<uint16_t>(stem.image_elements()) +
           Workspace::room_for<float>(
               parts_elements(stem.g, stem.channels, context.stream.device()));
  }
  static void stem_backward_weight(const Conv2dBackwardWeight& op, Workspace workspace,
                                   Stream& stream) {
    const Stem stem = Stem::of(Conv2dGeometry::of(op));
    visit_16(op.x.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T* const x = workspace.take<T>(stem.image_elements());
      auto* const parts =
          workspace.take<float>(parts_elements(stem.g, stem.channels, stream.device()));
      copy_image(stem, op.x, x, stream);
      run_backward_weight<T>(op, stem.g, x, stem.channels, parts, stream);
      const int count = split_of(stem.g, stem.channels, stream.device()).count;
      add_stem_parts(stem, parts, count, op, stream);
    });
  }

  // -- 1×1 as a matrix product --------------------------------------------------------------------

  static Refusal accepts_matmul_forward(const Conv2dForward& op, const Context& context) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    if (!is_pointwise(g)) return not_pointwise;
    if (Refusal refusal = refuses(g, op.x, op.y, op.w, context); !refusal.empty()) return refusal;
    return matmul_tensor_cores_refuses(forward_as_matmul(op));
  }
  static Refusal accepts_matmul_backward_data(const Conv2dBackwardData& op,
                                              const Context& context) {
    const Conv2dGeometry g = Conv2dGeometry::of(op);
    if (!is_pointwise(g)) return not_pointwise;
    if (Refusal refusal = refuses(g, op.dy, op.dx, op.w, context); !refusal.empty()) {
      return refusal;
    }
    return matmul_tensor_cores_refuses(backward_data_as_matmul(op));
  }
  static void matmul_forward(const Conv2dForward& op, Workspace /*workspace*/, Stream& stream) {
    Instructions::multiply(forward_as_matmul(op), stream);
  }
  static void matmul_backward_data(const Conv2dBackwardData& op, Workspace /*workspace*/,
                                   Stream& stream) {
    Instructions::multiply(backward_data_as_matmul(op), stream);
  }

  static constexpr const char* not_pointwise = "not 1×1 with stride 1, no pad and one group";
};

template <class Instructions>
void Conv2dRungs<Instructions>::add_all(Registry& registry) {
  add<Conv2dForward>(registry, {.name = Instructions::matmul_name,
                                .accepts = accepts_matmul_forward,
                                .run = matmul_forward});
  add<Conv2dBackwardData>(registry, {.name = Instructions::matmul_name,
                                     .accepts = accepts_matmul_backward_data,
                                     .run = matmul_backward_data});
  add<Conv2dForward>(registry,
                     {.name = Instructions::name, .accepts = accepts_forward, .run = forward});
  add<Conv2dBackwardData>(
      registry,
      {.name = Instructions::name, .accepts = accepts_backward_data, .run = backward_data});
  add<Conv2dBackwardWeight>(registry, {.name = Instructions::name,
                                       .accepts = accepts_backward_weight,
                                       .workspace_bytes = parts_bytes,
                                       .run = backward_weight});
  // Before the vendor's: an image's three channels are what its engines are slowest at.
  add<Conv2dForward>(registry, {.name = Instructions::stem_name,
                                .place = place::before_vendor,
                                .accepts = accepts_stem_forward,
                                .prefers = has_odd_channels<Conv2dForward>,
                                .workspace_bytes = stem_forward_bytes,
                                .run = stem_forward});
  add<Conv2dBackwardWeight>(registry, {.name = Instructions::stem_name,
                                       .place = place::before_vendor,
                                       .accepts = accepts_stem_backward_weight,
                                       .prefers = has_odd_channels<Conv2dBackwardWeight>,
                                       .workspace_bytes = stem_backward_weight_bytes,
                                       .run = stem_backward_weight});
}

}  // namespace burin::cuda
