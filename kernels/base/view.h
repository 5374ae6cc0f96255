#pragma once

#include <cstdint>

#include "burin/kernels/base/dtype.h"
#include "burin/kernels/base/layout.h"
#include "burin/kernels/base/shape.h"

namespace burin {

/// Names the content of a long-lived operand: two equal keys mean equal bytes, so a family may keep
/// a packed copy under it. Any in-place write bumps the version. {0, 0} names nothing: never
/// cached.
struct ContentKey {
  uint64_t storage = 0;
  uint64_t version = 0;
  bool operator==(const ContentKey&) const = default;
  explicit operator bool() const { return storage != 0; }
};

/// Memory seen as a tensor. Owns nothing and lives for one call.
template <class Pointer>
struct BasicView {
  Pointer data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  Strides strides;  // in elements
  ContentKey key;

  /// A dense view; rank 4 lies in `layout`, other ranks are row-major.
  static BasicView dense(Pointer data, DType dtype, const Shape& shape,
                         Layout layout = Layout::nchw) {
    return {data, dtype, shape, dense_strides(shape, layout), {}};
  }

  /// An absent optional operand has no data.
  explicit operator bool() const { return data != nullptr; }
  int rank() const { return shape.rank(); }
  int64_t dim(int i) const { return shape[i]; }
  int64_t numel() const { return burin::numel(shape); }
  bool is_dense(Layout layout) const { return burin::is_dense(shape, strides, layout); }
  /// Row-major and without gaps.
  bool is_contiguous() const { return is_dense(Layout::nchw); }
};

/// What a kernel may write.
struct View : BasicView<void*> {
  View() = default;
  View(const BasicView<void*>& view) : BasicView(view) {}  // NOLINT(google-explicit-constructor)
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

/// What a kernel may only read.
struct ConstView : BasicView<const void*> {
  ConstView() = default;
  ConstView(const BasicView<const void*>& view)  // NOLINT(google-explicit-constructor)
      : BasicView(view) {}
  ConstView(const BasicView<void*>& view)  // NOLINT(google-explicit-constructor)
      : BasicView{view.data, view.dtype, view.shape, view.strides, view.key} {}
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

/// True if both are dense in the same layout, so that a flat loop over the memory of one meets the
/// same elements in the other.
template <class A, class B>
bool same_dense_order(const A& a, const B& b) {
  const bool both_nchw = a.is_dense(Layout::nchw) && b.is_dense(Layout::nchw);
  const bool both_nhwc = a.is_dense(Layout::nhwc) && b.is_dense(Layout::nhwc);
  return a.shape == b.shape && (both_nchw || both_nhwc);
}

}  // namespace burin
