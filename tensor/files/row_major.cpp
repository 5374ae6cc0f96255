#include "burin/tensor/files/row_major.h"

#include <unordered_set>

#include "burin/tensor/files/weight_entry.h"

namespace burin {

void check_names(std::span<const NamedView> tensors, std::string_view format) {
  std::unordered_set<std::string_view> seen;
  for (const NamedView& tensor : tensors) {
    check(tensor.name != "__metadata__", format, ": a tensor can't be called __metadata__");
    check(seen.insert(tensor.name).second, format, ": two tensors are called '", tensor.name, "'");
  }
}

RowMajor::RowMajor(const ConstView& view) {
  const size_t size = static_cast<size_t>(view.numel()) * size_of(view.dtype);
  if (size == 0) return;
  if (view.is_contiguous()) {
    bytes_ = {view.as<std::byte>(), size};
    return;
  }
  copy_ = std::make_unique_for_overwrite<std::byte[]>(size);
  // The view is read as an entry would be: strides reach only forward from its data.
  int64_t reach = 1;
  for (int i = 0; i < view.rank(); ++i) {
    check(view.strides[i] >= 0, "save: strides ", view.strides, " run backwards");
    reach += (view.dim(i) - 1) * view.strides[i];
  }
  WeightEntry entry;
  entry.type = element_type_of(view.dtype);
  entry.shape = view.shape;
  entry.strides = view.strides;
  entry.storage = {view.as<std::byte>(), static_cast<size_t>(reach) * size_of(view.dtype)};
  read_entry(entry, View::dense(copy_.get(), view.dtype, view.shape));
  bytes_ = {copy_.get(), size};
}

}  // namespace burin
