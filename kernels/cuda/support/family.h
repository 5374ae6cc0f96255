#pragma once

#include "burin/kernels/cuda/support/launch.h"
#include "burin/kernels/registry.h"

namespace burin::cuda {

/// The caveat of a rung that only the emulator has run.
inline constexpr std::string_view not_yet_run = "not yet run on a GPU";

/// Registers a kernel of this folder, on the device it is compiled for.
template <class Op>
void add(Registry& registry, const Implementation<Op>& implementation) {
  registry.add(implementation, device_kind);
}

/// Calls f(TypeTag<T>{}) with the type that a kernel computes with: float, __nv_bfloat16 or __half.
template <class F>
decltype(auto) visit_element(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(TypeTag<float>{});
    case DType::bf16:
      return f(TypeTag<__nv_bfloat16>{});
    case DType::f16:
      return f(TypeTag<__half>{});
    default:
      fail("expected f32, bf16 or f16, got ", dtype);
  }
}

/// The same for kernels of 16-bit elements: __nv_bfloat16 or __half.
template <class F>
void visit_16(DType dtype, const F& f) {
  if (dtype == DType::bf16) {
    f(TypeTag<__nv_bfloat16>{});
  } else {
    f(TypeTag<__half>{});
  }
}

/// Blocks that cover `count` elements, `per_block` in each.
inline dim3 blocks_for(int64_t count, int64_t per_block) {
  const int64_t blocks = (count + per_block - 1) / per_block;
  check(blocks < int64_t{1} << 31, "cuda: ", count, " elements need too many blocks");
  return dim3(static_cast<unsigned>(blocks));
}

}  // namespace burin::cuda
