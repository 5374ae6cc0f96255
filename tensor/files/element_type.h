#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string_view>

#include "burin/kernels/base/dtype.h"

namespace burin {

/// What the elements in a weight file may be: more than burin computes in (DType).
enum class ElementType : uint8_t {
  f64,
  f32,
  f16,
  bf16,
  f8_e4m3,
  f8_e5m2,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean,
};

/// "f32", "bf16", "bool", …
std::string_view name_of(ElementType type);
std::ostream& operator<<(std::ostream& out, ElementType type);

/// Bytes of one element.
size_t size_of(ElementType type);

/// How a file spells what burin writes.
ElementType element_type_of(DType dtype);

/// 8-bit floats as stored: sign, 4 bits of exponent and 3 of mantissa (no infinity, NaN is all
/// ones), or 5 and 2 (the upper byte of a half). Micikevicius et al. 2022, arXiv:2209.05433.
struct float8_e4m3 {
  uint8_t bits = 0;
  explicit operator float() const {
    const int exponent = (bits >> 3) & 15;
    const int mantissa = bits & 7;
    float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                    : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
    if ((bits & 0x7f) == 0x7f) magnitude = std::nanf("");
    return (bits & 0x80) != 0 ? -magnitude : magnitude;
  }
};
struct float8_e5m2 {
  uint8_t bits = 0;
  explicit operator float() const {
    float16 half;
    half.bits = static_cast<uint16_t>(bits << 8);
    return static_cast<float>(half);
  }
};
/// A stored truth value: any byte but 0 is true.
struct boolean8 {
  uint8_t bits = 0;
};

/// Calls f(TypeTag<T>{}) with the C++ type of `type`.
template <class F>
decltype(auto) visit_element_type(ElementType type, F&& f) {
  switch (type) {
    case ElementType::f64:
      return f(TypeTag<double>{});
    case ElementType::f32:
      return f(TypeTag<float>{});
    case ElementType::f16:
      return f(TypeTag<float16>{});
    case ElementType::bf16:
      return f(TypeTag<bfloat16>{});
    case ElementType::f8_e4m3:
      return f(TypeTag<float8_e4m3>{});
    case ElementType::f8_e5m2:
      return f(TypeTag<float8_e5m2>{});
    case ElementType::i64:
      return f(TypeTag<int64_t>{});
    case ElementType::i32:
      return f(TypeTag<int32_t>{});
    case ElementType::i16:
      return f(TypeTag<int16_t>{});
    case ElementType::i8:
      return f(TypeTag<int8_t>{});
    case ElementType::u64:
      return f(TypeTag<uint64_t>{});
    case ElementType::u32:
      return f(TypeTag<uint32_t>{});
    case ElementType::u16:
      return f(TypeTag<uint16_t>{});
    case ElementType::u8:
      return f(TypeTag<uint8_t>{});
    case ElementType::boolean:
      return f(TypeTag<boolean8>{});
  }
  fail("element type: ", static_cast<int>(type), " names none");
}

}  // namespace burin
