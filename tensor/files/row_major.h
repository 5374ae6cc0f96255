#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "burin/kernels/base/view.h"
#include "burin/tensor/files/bytes.h"

namespace burin {

/// A tensor to be saved: any strides, saved in logical order.
struct NamedView {
  std::string name;
  ConstView view;
};

/// Throws Error where a name is there twice, or is the one a format keeps for itself.
void check_names(std::span<const NamedView> tensors, std::string_view format);

/// The elements of a view in logical order without gaps: the view's own bytes where they lie so
/// already, else a copy.
class RowMajor {
 public:
  explicit RowMajor(const ConstView& view);
  Bytes bytes() const { return bytes_; }

 private:
  std::unique_ptr<std::byte[]> copy_;
  Bytes bytes_;
};

}  // namespace burin
