#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "burin/kernels/base/view.h"
#include "burin/kernels/device_runtime.h"

namespace burin::checks {

/// Draws the value of an element: its logical index and a random word → the value.
using Values = std::function<double(int64_t index, uint32_t word)>;

/// Roughly normal, mean 0.25, so that neither signs nor means cancel by luck; standard deviation
/// about 1.
Values normal_values();
Values uniform_values(double low, double high);
/// Integers in [0, count).
Values index_values(int64_t count);
Values constant_values(double value);

/// The operand of a problem, counted as they are made, that begins one element behind a multiple of
/// 64 bytes, as a slice may; none of them, if it is negative.
using Misaligned = int;
inline constexpr Misaligned all_aligned = -1;

/// Memory for one problem on one device: inputs filled with seeded values that are exact in their
/// dtype, outputs filled with a pattern that reads as NaN, and guard zones on both sides of each.
class Operands {
 public:
  explicit Operands(Device device, Misaligned misaligned = all_aligned);
  ~Operands();
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

  /// A filled operand, dense in `layout`. `key` names its content for caches of packed weights.
  View input(DType dtype, const Shape& shape, Layout layout = Layout::nchw,
             const Values& values = normal_values());
  /// A filled operand with any strides that do not overlap.
  View input(DType dtype, const Shape& shape, const Strides& strides, const Values& values);
  /// An operand to be written, dense in `layout`, filled with NaN (floats) or 0xCB (the others).
  View output(DType dtype, const Shape& shape, Layout layout = Layout::nchw);
  View output(DType dtype, const Shape& shape, const Strides& strides);
  /// Memory that is no operand, filled with NaN, of a multiple of four bytes.
  View scratch(size_t bytes);
  /// Gives the operand a content key of its own, as a weight has.
  void name_content(View& view);

  /// The elements in logical (row-major) order, as double. Waits for the stream.
  std::vector<double> read(const ConstView& view);

  /// Empty, or which operand was written outside its bounds.
  std::string damage();

  int count() const;
  Stream& stream() { return *stream_; }
  Device device() const { return device_; }

 private:
  struct Block;
  Block& allocate(DType dtype, const Shape& shape, const Strides& strides, size_t skew);
  View unwritten(DType dtype, const Shape& shape, const Strides& strides, size_t skew);
  size_t skew_of_next(DType dtype) const;
  void upload(const Block& block, const std::vector<std::byte>& bytes);
  std::vector<std::byte> download(const Block& block);

  Device device_;
  DeviceRuntime& runtime_;
  std::unique_ptr<Stream> stream_;
  Misaligned misaligned_;
  uint64_t drawn_ = 0;
  std::deque<Block> blocks_;
};

/// Offset in elements of the logical index `index` (row-major) under `strides`.
int64_t offset_of(int64_t index, const Shape& shape, const Strides& strides);
/// The coordinates of a logical index.
Dims coordinates_of(int64_t index, const Shape& shape);
/// One element as double, from host memory.
double read_element(const void* data, DType dtype, int64_t offset);
/// Rounds to dtype and writes one element in host memory.
void write_element(void* data, DType dtype, int64_t offset, double value);

}  // namespace burin::checks
