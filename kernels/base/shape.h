#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>

#include "burin/kernels/base/error.h"

namespace burin {

/// A short list of extents or strides: at most `max_rank` numbers, held in place.
class Dims {
 public:
  static constexpr int max_rank = 8;

  Dims() = default;
  Dims(std::initializer_list<int64_t> values) : Dims(std::span(values.begin(), values.size())) {}
  explicit Dims(std::span<const int64_t> values) {
    for (const int64_t value : values) push_back(value);
  }
  /// `rank` numbers, each `value`.
  static Dims filled(int rank, int64_t value) {
    Dims result;
    for (int i = 0; i < rank; ++i) result.push_back(value);
    return result;
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return values_[static_cast<size_t>(i)]; }
  int64_t& operator[](int i) { return values_[static_cast<size_t>(i)]; }
  int64_t back() const { return values_[static_cast<size_t>(rank_ - 1)]; }
  void push_back(int64_t value) {
    check(rank_ < max_rank, "shape: at most ", max_rank, " dimensions are supported");
    values_[static_cast<size_t>(rank_++)] = value;
  }

  const int64_t* begin() const { return values_.data(); }
  const int64_t* end() const { return values_.data() + rank_; }
  bool operator==(const Dims& other) const;

 private:
  std::array<int64_t, max_rank> values_{};
  int rank_ = 0;
};

/// Extents of a tensor in logical order: activations [N, C, H, W], weights [K, C, R, S].
using Shape = Dims;
/// Distance in elements between neighbours along each dimension.
using Strides = Dims;

/// Product of the extents, none of them negative; 1 for a scalar (rank 0). Throws Error if 64 bits
/// do not hold it.
int64_t numel(const Shape& shape);

/// Row-major strides: the last dimension is dense.
Strides contiguous_strides(const Shape& shape);

/// The shape both broadcast to, as in NumPy: dimensions align at the right, 1 stretches.
/// Throws Error naming both shapes where they do not fit.
Shape broadcast_shape(const Shape& a, const Shape& b);

/// "[2, 3, 32, 32]"
std::ostream& operator<<(std::ostream& out, const Dims& dims);

}  // namespace burin
