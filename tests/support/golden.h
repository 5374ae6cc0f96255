#pragma once

#include <string>
#include <vector>

#include "burin/nn/state_dict.h"
#include "burin/tensor/files/weight_file.h"
#include "support/test_data.h"

namespace burin::testing_support {

/// What PyTorch computed: the tensors of tests/golden/pytorch/<name>.safetensors.
class Golden {
 public:
  explicit Golden(const std::string& name) : file_(golden("pytorch/" + name + ".safetensors")) {}

  Tensor tensor(const std::string& name) const {
    const WeightEntry* const entry = file_.find(name);
    check(entry != nullptr, "golden: no ", name);
    Tensor t = empty(entry->shape, {entry->type == ElementType::i64 ? DType::i64 : DType::f32});
    file_.read(*entry, t.writable());
    return t;
  }
  /// All tensors whose name begins with `prefix`, without it.
  std::vector<nn::NamedTensor> group(const std::string& prefix) const {
    std::vector<nn::NamedTensor> found;
    for (const WeightEntry& entry : file_.entries()) {
      if (entry.name.starts_with(prefix))
        found.push_back({entry.name.substr(prefix.size()), tensor(entry.name)});
    }
    return found;
  }

 private:
  WeightFile file_;
};

}  // namespace burin::testing_support
