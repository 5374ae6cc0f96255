#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string_view>

#include "burin/kernels/base/error.h"
#include "burin/kernels/base/half.h"

namespace burin {

/// Type of a tensor's elements, known at run time. A kernel turns it into a C++ type once, at its
/// top.
enum class DType : uint8_t { f32, bf16, f16, i64, i32, u8 };

inline constexpr DType all_dtypes[] = {DType::f32, DType::bf16, DType::f16,
                                       DType::i64, DType::i32,  DType::u8};

/// Bytes of one element.
constexpr size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
      return 2;
    case DType::i64:
      return 8;
    case DType::u8:
      return 1;
  }
  return 0;
}

constexpr bool is_floating(DType dtype) {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
}

/// "f32", "bf16", …
std::string_view name_of(DType dtype);
std::ostream& operator<<(std::ostream& out, DType dtype);

template <class T>
struct TypeTag {
  using type = T;
};

/// Calls f(TypeTag<T>{}) with the C++ type of `dtype`:
///   visit_dtype(x.dtype, [&](auto tag) { using T = typename decltype(tag)::type; … });
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(TypeTag<float>{});
    case DType::bf16:
      return f(TypeTag<bfloat16>{});
    case DType::f16:
      return f(TypeTag<float16>{});
    case DType::i64:
      return f(TypeTag<int64_t>{});
    case DType::i32:
      return f(TypeTag<int32_t>{});
    case DType::u8:
      return f(TypeTag<uint8_t>{});
  }
  fail("visit_dtype: ", static_cast<int>(dtype), " names no dtype");
}

/// The same for the types a network computes in: f32, bf16, f16. Throws Error for the others.
template <class F>
decltype(auto) visit_floating(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(TypeTag<float>{});
    case DType::bf16:
      return f(TypeTag<bfloat16>{});
    case DType::f16:
      return f(TypeTag<float16>{});
    default:
      fail("expected f32, bf16 or f16, got ", dtype);
  }
}

}  // namespace burin
