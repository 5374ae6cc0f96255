#pragma once

#include <functional>
#include <string>
#include <vector>

#include "burin/nn/module.h"
#include "burin/tensor/files/weight_entry.h"

namespace burin::nn {

/// What load_state found.
struct LoadReport {
  std::vector<std::string> missing;     // the module has it, the dict has not
  std::vector<std::string> unexpected;  // the dict has it, the module has not
  std::vector<std::string>
      mismatched;  // other shape: "fc.weight: file [1000, 512], model [2, 512]"
  int64_t loaded = 0;

  bool complete() const { return missing.empty() && mismatched.empty(); }
  /// A few lines for people; empty if everything fitted.
  std::string to_string() const;
};

/// A tensor that is made when it is asked for, so that what a file holds need not be in memory
/// beside the model all at once.
struct NamedSource {
  std::string name;
  Shape shape;
  std::function<Tensor()> read;
};

/// Copies each tensor of `dict` to the parameter or buffer of its name, converted to its dtype and
/// layout. What does not fit is left as it was and reported. A missing num_batches_tracked is not
/// missed: files from before 2018 lack it, and it is set to 0. Where nothing fits, the module is as
/// it was.
LoadReport load_state(Module& module, const std::vector<NamedSource>& dict);
LoadReport load_state(Module& module, const std::vector<NamedTensor>& dict);

/// Writes tensors, wherever they are, to a file that models::load_weights and PyTorch read: as
/// torch.save would where `path` ends in .pth or .pt, which has no room for metadata, else as
/// safetensors. Atomically: a file of that name stays as it was until the new one is complete.
/// Throws Error if it can't be written.
void save_state(const std::string& path, const std::vector<NamedTensor>& state,
                const Metadata& metadata = {});

}  // namespace burin::nn
