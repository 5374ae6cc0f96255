#include "burin/kernels/check/operands.h"

#include <algorithm>
#include <array>

#include "burin/kernels/base/random.h"

namespace burin::checks {
namespace {

constexpr size_t guard_bytes = 256;  // keeps the 64-byte alignment of what follows
constexpr uint64_t seed = 1;
constexpr std::byte guard_byte{0xA7};
constexpr std::byte unwritten_byte{0xFF};  // reads as NaN in every floating dtype
constexpr std::byte unwritten_integer_byte{0xCB};

/// Calls body(index, offset) for every element, in logical (row-major) order. Without the divisions
/// of offset_of(): filling and reading operands is most of what a large case costs.
template <class Body>
void for_each_element(const Shape& shape, const Strides& strides, const Body& body) {
  const int64_t count = numel(shape);
  Dims at = Dims::filled(shape.rank(), 0);
  int64_t offset = 0;
  for (int64_t index = 0; index < count; ++index) {
    body(index, offset);
    for (int i = shape.rank() - 1; i >= 0; --i) {
      offset += strides[i];
      if (++at[i] < shape[i]) break;
      offset -= shape[i] * strides[i];
      at[i] = 0;
    }
  }
}

template <class T>
double to_double(T value) {
  if constexpr (std::is_same_v<T, bfloat16> || std::is_same_v<T, float16>) {
    return static_cast<double>(static_cast<float>(value));
  } else {
    return static_cast<double>(value);
  }
}

template <class T>
T from_double(double value) {
  if constexpr (std::is_same_v<T, bfloat16> || std::is_same_v<T, float16>) {
    return T(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

}  // namespace

struct Operands::Block {
  DType dtype;
  Shape shape;
  Strides strides;
  size_t bytes;
  size_t lead;  // bytes of the guard before it
  void* data;   // in device memory, guards included

  void* first() const { return static_cast<std::byte*>(data) + lead; }
  size_t with_guards() const { return lead + bytes + guard_bytes; }
};

Values normal_values() {
  return [](int64_t /*index*/, uint32_t word) {
    const double sum = static_cast<double>(word & 0xff) + static_cast<double>(word >> 8 & 0xff) +
                       static_cast<double>(word >> 16 & 0xff) + static_cast<double>(word >> 24);
    return (sum - 510.0) / 148.0 + 0.25;  // four bytes: standard deviation 148
  };
}

Values uniform_values(double low, double high) {
  return [=](int64_t /*index*/, uint32_t word) {
    return low + (high - low) * static_cast<double>(uniform_from(word));
  };
}

Values index_values(int64_t count) {
  return [=](int64_t /*index*/, uint32_t word) { return static_cast<double>(word % count); };
}

Values constant_values(double value) {
  return [=](int64_t /*index*/, uint32_t /*word*/) { return value; };
}

Dims coordinates_of(int64_t index, const Shape& shape) {
  Dims coordinates = Dims::filled(shape.rank(), 0);
  for (int i = shape.rank() - 1; i >= 0; --i) {
    coordinates[i] = index % shape[i];
    index /= shape[i];
  }
  return coordinates;
}

int64_t offset_of(int64_t index, const Shape& shape, const Strides& strides) {
  int64_t offset = 0;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    offset += index % shape[i] * strides[i];
    index /= shape[i];
  }
  return offset;
}

double read_element(const void* data, DType dtype, int64_t offset) {
  return visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return to_double(static_cast<const T*>(data)[offset]);
  });
}

void write_element(void* data, DType dtype, int64_t offset, double value) {
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    static_cast<T*>(data)[offset] = from_double<T>(value);
  });
}

Operands::Operands(Device device, Misaligned misaligned)
    : device_(device),
      runtime_(runtime_of(device)),
      stream_(runtime_.make_stream(device.index)),
      misaligned_(misaligned) {}

Operands::~Operands() {
  for (const Block& block : blocks_) runtime_.free(device_.index, block.data);
}

int Operands::count() const {
  return static_cast<int>(blocks_.size());
}

size_t Operands::skew_of_next(DType dtype) const {
  return count() == misaligned_ ? size_of(dtype) : 0;
}

Operands::Block& Operands::allocate(DType dtype, const Shape& shape, const Strides& strides,
                                    size_t skew) {
  int64_t last = burin::numel(shape) > 0 ? 0 : -1;
  for (int i = 0; i < shape.rank() && last >= 0; ++i) last += (shape[i] - 1) * strides[i];
  const size_t bytes = static_cast<size_t>(last + 1) * size_of(dtype);
  Block block{dtype, shape, strides, bytes, guard_bytes + skew, nullptr};
  block.data = runtime_.allocate(device_.index, block.with_guards());
  blocks_.push_back(block);
  return blocks_.back();
}

void Operands::upload(const Block& block, const std::vector<std::byte>& bytes) {
  runtime_.copy(*stream_, block.data, device_, bytes.data(), Device::cpu(), bytes.size());
  runtime_.synchronize(*stream_);
}

std::vector<std::byte> Operands::download(const Block& block) {
  std::vector<std::byte> bytes(block.with_guards());
  runtime_.copy(*stream_, bytes.data(), Device::cpu(), block.data, device_, bytes.size());
  runtime_.synchronize(*stream_);
  return bytes;
}

View Operands::input(DType dtype, const Shape& shape, Layout layout, const Values& values) {
  return input(dtype, shape, dense_strides(shape, layout), values);
}

View Operands::input(DType dtype, const Shape& shape, const Strides& strides,
                     const Values& values) {
  Block& block = allocate(dtype, shape, strides, skew_of_next(dtype));
  std::vector<std::byte> bytes(block.with_guards(), guard_byte);
  const uint64_t stream_offset = drawn_++;
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* const elements = reinterpret_cast<T*>(bytes.data() + block.lead);
    std::array<uint32_t, 4> words{};  // what philox_word() picks its one from
    for_each_element(shape, strides, [&](int64_t i, int64_t offset) {
      if (i % 4 == 0) words = philox(seed, stream_offset, static_cast<uint64_t>(i / 4));
      elements[offset] = from_double<T>(values(i, words[static_cast<size_t>(i % 4)]));
    });
  });
  upload(block, bytes);
  return BasicView<void*>{block.first(), dtype, shape, strides, {}};
}

View Operands::output(DType dtype, const Shape& shape, Layout layout) {
  return output(dtype, shape, dense_strides(shape, layout));
}

View Operands::output(DType dtype, const Shape& shape, const Strides& strides) {
  return unwritten(dtype, shape, strides, skew_of_next(dtype));
}

View Operands::scratch(size_t bytes) {
  return unwritten(DType::f32, {static_cast<int64_t>(bytes / sizeof(float))}, {1}, 0);
}

View Operands::unwritten(DType dtype, const Shape& shape, const Strides& strides, size_t skew) {
  Block& block = allocate(dtype, shape, strides, skew);
  std::vector<std::byte> bytes(block.with_guards(), guard_byte);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(block.lead), block.bytes,
              is_floating(dtype) ? unwritten_byte : unwritten_integer_byte);
  upload(block, bytes);
  return BasicView<void*>{block.first(), dtype, shape, strides, {}};
}

void Operands::name_content(View& view) {
  view.key = {reinterpret_cast<uint64_t>(view.data), 1};  // one life per stream: never reused there
}

std::vector<double> Operands::read(const ConstView& view) {
  for (const Block& block : blocks_) {
    const auto* const begin = static_cast<const std::byte*>(block.first());
    const auto* const at = static_cast<const std::byte*>(view.data);
    if (at < begin || at >= begin + std::max<size_t>(block.bytes, 1)) continue;
    const std::vector<std::byte> bytes = download(block);
    const std::byte* const base = bytes.data() + block.lead + (at - begin);
    std::vector<double> values(static_cast<size_t>(view.numel()));
    visit_dtype(view.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* const elements = reinterpret_cast<const T*>(base);
      for_each_element(view.shape, view.strides, [&](int64_t i, int64_t offset) {
        values[static_cast<size_t>(i)] = to_double(elements[offset]);
      });
    });
    return values;
  }
  fail("operands: the view is not one of this problem's");
}

std::string Operands::damage() {
  for (const Block& block : blocks_) {
    const std::vector<std::byte> bytes = download(block);
    const auto is_guard = [](std::byte b) { return b == guard_byte; };
    const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(block.lead);
    if (!std::all_of(bytes.begin(), first, is_guard)) {
      return str("memory before the operand ", block.dtype, ' ', block.shape, " was written");
    }
    if (!std::all_of(bytes.end() - guard_bytes, bytes.end(), is_guard)) {
      return str("memory after the operand ", block.dtype, ' ', block.shape, " was written");
    }
  }
  return {};
}

}  // namespace burin::checks
