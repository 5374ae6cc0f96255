#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "burin/tensor/files/mapped_file.h"
#include "burin/tensor/files/weight_entry.h"

namespace burin {

/// A file of named tensors, open for reading: safetensors, or what torch.save wrote (.pth, .pt,
/// .th; the zip of today and the stream of before 1.6). The format is told by the content. The file
/// stays mapped as long as the object lives; its entries point into it.
///
///   const WeightFile file("squeezenet1_1.pth");
///   for (const WeightEntry& entry : file.entries()) …
///   file.read(*file.find("features.0.weight"), DType::f32, weights.data());
class WeightFile {
 public:
  /// Throws Error, which names the file, where it can't be read or is damaged.
  explicit WeightFile(const std::string& path);

  const std::string& path() const { return path_; }
  /// "safetensors", "torch zip", "torch legacy"
  const std::string& format() const { return listing_.format; }
  const std::vector<WeightEntry>& entries() const { return listing_.entries(); }
  const Metadata& metadata() const { return listing_.metadata; }
  /// What the reader passed over, in words for the user.
  const std::vector<std::string>& notes() const { return listing_.notes; }

  /// Null if there is none of that name in that group.
  const WeightEntry* find(std::string_view name, std::string_view group = "") const;
  /// The metadata's text under `key`, or null.
  const std::string* metadata(std::string_view key) const;

  /// Writes the elements of an entry to a view of its shape, whatever the strides, converted to the
  /// view's dtype. Throws Error where the shapes differ, where floats are asked for as integers, or
  /// where an integer does not fit. The file's pages that were read do not stay in memory.
  void read(const WeightEntry& entry, const View& to) const;
  /// The same to dense memory in row-major order.
  void read(const WeightEntry& entry, DType dtype, void* to) const;

 private:
  std::string path_;
  MappedFile file_;
  WeightListing listing_;
};

/// Lists a weight file of any format from its bytes. Throws Error if it is none.
WeightListing read_weight_file(Bytes file);

}  // namespace burin
