#include "burin/kernels/onednn/support/dnnl.h"

#include <string>

namespace burin::onednn {

const char* why_unavailable() {
  static const std::string reason = [] {
    const dnnl::version_t& found = *dnnl::version();
    if (found.major == DNNL_VERSION_MAJOR) return std::string();
    return str("oneDNN ", found.major, '.', found.minor,
               " is installed, this family was built for ", DNNL_VERSION_MAJOR, '.',
               DNNL_VERSION_MINOR);
  }();
  return reason.empty() ? nullptr : reason.c_str();
}

Refusal refuse_dtype(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return {};
    case DType::bf16: {
      static const bool fast = [] {
        const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
        const auto needed = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
        return (isa & needed) == needed;
      }();
      return fast ? "" : "oneDNN computes in bf16 on CPUs with AVX-512 (avx512_core) only";
    }
    case DType::f16:
      return "oneDNN 2 does not compute in f16 on CPUs";
    default:
      return str("dtype ", dtype);
  }
}

dnnl::memory::data_type data_type(DType dtype) {
  using Type = dnnl::memory::data_type;
  switch (dtype) {
    case DType::f32:
      return Type::f32;
    case DType::bf16:
      return Type::bf16;
    case DType::f16:
      return Type::f16;
    case DType::i32:
      return Type::s32;
    case DType::u8:
      return Type::u8;
    case DType::i64:
      break;
  }
  fail("onednn: dtype ", dtype, " does not exist in oneDNN");
}

dnnl::memory::desc descriptor(const ConstView& view) {
  const dnnl::memory::dims dims(view.shape.begin(), view.shape.end());
  const auto type = data_type(view.dtype);
  if (view.rank() == 4 && view.is_dense(Layout::nhwc)) {
    return {dims, type, dnnl::memory::format_tag::nhwc};
  }
  if (view.rank() == 4 && view.is_dense(Layout::nchw)) {
    return {dims, type, dnnl::memory::format_tag::nchw};
  }
  return {dims, type, dnnl::memory::dims(view.strides.begin(), view.strides.end())};
}

Refusal refuse_reference(const char* implementation_info) {
  const std::string_view info = implementation_info;
  const bool reference = info.starts_with("ref") || info.find(":ref") != std::string_view::npos;
  return reference ? str("oneDNN has only its reference loops (", info, ") for this problem") : "";
}

}  // namespace burin::onednn
