#include "burin/tensor/files/element_type.h"

#include <array>

namespace burin {

std::string_view name_of(ElementType type) {
  constexpr std::array<std::string_view, 15> names = {"f64",     "f32", "f16", "bf16", "f8_e4m3",
                                                      "f8_e5m2", "i64", "i32", "i16",  "i8",
                                                      "u64",     "u32", "u16", "u8",   "bool"};
  return names.at(static_cast<size_t>(type));
}

std::ostream& operator<<(std::ostream& out, ElementType type) {
  return out << name_of(type);
}

size_t size_of(ElementType type) {
  return visit_element_type(type, [](auto tag) { return sizeof(typename decltype(tag)::type); });
}

ElementType element_type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return ElementType::f32;
    case DType::bf16:
      return ElementType::bf16;
    case DType::f16:
      return ElementType::f16;
    case DType::i64:
      return ElementType::i64;
    case DType::i32:
      return ElementType::i32;
    case DType::u8:
      return ElementType::u8;
  }
  fail("element type: ", static_cast<int>(dtype), " names no dtype");
}

}  // namespace burin
