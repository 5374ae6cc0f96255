#include <limits>

#include "burin/tensor/files/atomic_file.h"
#include "burin/tensor/files/torch_file.h"
#include "burin/tensor/files/zip.h"

namespace burin {
namespace {

std::string_view storage_class(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "FloatStorage";
    case DType::bf16:
      return "BFloat16Storage";
    case DType::f16:
      return "HalfStorage";
    case DType::i64:
      return "LongStorage";
    case DType::i32:
      return "IntStorage";
    case DType::u8:
      return "ByteStorage";
  }
  fail("torch file: no storage class for ", dtype);
}

/// Writes a pickle of protocol 2, without a memo: nothing is shared.
class PickleWriter {
 public:
  std::string finish() {
    opcode('.');
    return std::move(text_);
  }
  PickleWriter& opcode(char code) {
    text_ += code;
    return *this;
  }
  PickleWriter& protocol() { return opcode('\x80').opcode('\x02'); }
  PickleWriter& global(std::string_view module, std::string_view name) {
    opcode('c');
    text_.append(module).append("\n").append(name).append("\n");
    return *this;
  }
  PickleWriter& text(std::string_view value) {
    const auto size = static_cast<uint32_t>(value.size());
    opcode('X').raw(&size, sizeof(size));
    text_ += value;
    return *this;
  }
  PickleWriter& integer(int64_t value) {
    if (value >= 0 && value <= std::numeric_limits<int32_t>::max()) {
      return opcode('J').raw(&value, sizeof(int32_t));
    }
    return opcode('\x8a').opcode(sizeof(value)).raw(&value, sizeof(value));
  }
  PickleWriter& tuple(const Dims& values) {
    opcode('(');
    for (const int64_t value : values) integer(value);
    return opcode('t');
  }
  /// collections.OrderedDict(), still empty
  PickleWriter& ordered_dict() {
    return global("collections", "OrderedDict").opcode(')').opcode('R');
  }

 private:
  PickleWriter& raw(const void* bytes, size_t size) {
    text_.append(static_cast<const char*>(bytes), size);
    return *this;
  }

  std::string text_;
};

/// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)
void write_tensor(PickleWriter& out, const ConstView& view, const std::string& key) {
  out.global("torch._utils", "_rebuild_tensor_v2").opcode('(');
  out.opcode('(').text("storage").global("torch", storage_class(view.dtype));
  out.text(key).text("cpu").integer(view.numel()).opcode('t').opcode('Q');
  out.integer(0).tuple(view.shape).tuple(contiguous_strides(view.shape));
  out.opcode('\x89').ordered_dict();
  out.opcode('t').opcode('R');
}

std::string state_dict_pickle(std::span<const NamedView> tensors) {
  PickleWriter out;
  out.protocol().ordered_dict().opcode('(');
  for (size_t i = 0; i < tensors.size(); ++i) {
    out.text(tensors[i].name);
    write_tensor(out, tensors[i].view, str(i));
  }
  out.opcode('u');
  return out.finish();
}

}  // namespace

void write_torch_file(const std::string& path, std::span<const NamedView> tensors) {
  check_names(tensors, "torch file");
  AtomicFile file(path);
  ZipWriter zip(file);
  zip.add("archive/data.pkl", as_bytes(state_dict_pickle(tensors)));
  for (size_t i = 0; i < tensors.size(); ++i) {
    zip.add(str("archive/data/", i), RowMajor(tensors[i].view).bytes());
  }
  zip.add("archive/version", as_bytes("3\n"));
  zip.finish();
  file.commit();
}

}  // namespace burin
