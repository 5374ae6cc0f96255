#pragma once

#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "burin/kernels/base/view.h"
#include "burin/tensor/files/bytes.h"
#include "burin/tensor/files/element_type.h"

namespace burin {

/// One tensor of a weight file. Its elements are a strided window on bytes of the file.
struct WeightEntry {
  /// Where a checkpoint keeps the dictionary that holds the tensor: "" at the top, "state_dict",
  /// "optimizer/state/0".
  std::string group;
  /// The key in that dictionary: "layer1.0.conv1.weight".
  std::string name;
  ElementType type = ElementType::f32;
  Shape shape;
  Strides strides;     // in elements, at least 0
  int64_t offset = 0;  // in elements: where in the storage the first element lies
  Bytes storage;       // may be shared with other entries
};

/// Text about a file or a model: `__metadata__` of safetensors, the plain values of a checkpoint.
using Metadata = std::vector<std::pair<std::string, std::string>>;

/// What a weight file was found to hold.
class WeightListing {
 public:
  static constexpr size_t most_entries = 250'000;  // the largest published models have 100,000

  std::string format;  // "safetensors", "torch zip", "torch legacy"
  Metadata metadata;
  std::vector<std::string> notes;  // what the reader passed over, in words

  const std::vector<WeightEntry>& entries() const { return entries_; }

  /// Adds an entry. Throws Error, which names it, if it is there already, if it reaches outside its
  /// storage, or if the entries together would take much more memory than the file has bytes.
  void add(WeightEntry entry, size_t file_bytes);

 private:
  std::vector<WeightEntry> entries_;
  std::unordered_set<std::string> seen_;
  size_t name_bytes_ = 0;
  uint64_t element_bytes_ = 0;
};

/// Product of the extents. Throws Error where one is negative or the product overflows.
int64_t checked_numel(const Shape& shape, std::string_view name);

/// Writes the elements of `entry` to `to`, converted: floats round to nearest, integers and truth
/// values become floats. Throws Error unless the shapes are equal, where floats are asked for as
/// integers, or where an integer does not fit.
void read_entry(const WeightEntry& entry, const View& to);

}  // namespace burin
