#pragma once

#include <map>
#include <string>
#include <vector>

#include "burin/nn/module.h"
#include "burin/tensor/files/weight_file.h"

namespace burin::apps {

/// Everything needed to go on exactly where a run stopped: tensors by name, and text. One
/// safetensors file, written atomically, so that a kill at any moment leaves the previous one.
struct Checkpoint {
  std::string file;                      // it was read from, for messages
  std::vector<nn::NamedTensor> tensors;  // "model/fc.weight", "optimizer/fc.weight.first_moment", …
  std::map<std::string, std::string> text;  // numbers as shortest text that reads back exactly

  void set(const std::string& key, int64_t value);
  void set(const std::string& key, double value);
  /// Throws Error if the key is missing or is no number.
  int64_t integer(const std::string& key) const;
  /// Of 0 to 2⁵³.
  int64_t count(const std::string& key) const;
  double number(const std::string& key) const;
  const std::string& string(const std::string& key) const;

  /// Copies the tensors saved under their names into `named`. Throws Error if one is missing or
  /// differs in shape, before any is written.
  void restore(const std::vector<nn::NamedTensor>& named) const;

  void save(const std::string& path) const;
  /// Throws Error if the file is damaged or no checkpoint.
  static Checkpoint load(const std::string& path);
};

/// Whether a file of weights is such a checkpoint, of whatever release.
bool is_checkpoint(const WeightFile& file);

}  // namespace burin::apps
