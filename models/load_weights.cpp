#include "burin/models/load_weights.h"

#include <algorithm>

#include "burin/models/preact_resnet.h"
#include "burin/tensor/files/state_dict_file.h"

namespace burin::models {
namespace {

/// Integers stay integers (num_batches_tracked), everything else is read as f32.
DType dtype_to_read(const WeightEntry& entry) {
  return entry.type < ElementType::i64 ? DType::f32 : DType::i64;
}

std::vector<nn::NamedTensor> read_tensors(const WeightFile& file, const StateDict& dict) {
  std::vector<nn::NamedTensor> tensors;
  for (const StateDict::Item& item : dict.items) {
    Tensor tensor = empty(item.entry->shape, {dtype_to_read(*item.entry)});
    file.read(*item.entry, tensor.writable());
    tensors.push_back({item.name, tensor});
  }
  return tensors;
}

/// GluonCV's names become ours where the file uses them.
bool translate_names(std::vector<nn::NamedTensor>& tensors) {
  bool translated = false;
  for (nn::NamedTensor& tensor : tensors) {
    const std::string ours = preact_resnet_name(tensor.name);
    if (ours.empty()) continue;
    tensor.name = ours;
    translated = true;
  }
  return translated;
}

}  // namespace

WeightsReport load_weights(Model& model, const WeightFile& file) {
  WeightsReport report;
  const StateDict dict = find_state_dict(file.entries());
  report.notes = file.notes();
  report.notes.insert(report.notes.end(), dict.notes.begin(), dict.notes.end());
  std::vector<nn::NamedTensor> tensors = read_tensors(file, dict);
  if (translate_names(tensors)) report.notes.push_back("GluonCV's names were translated");

  report.entries = nn::load_state(model, tensors);
  check(report.entries.loaded > 0, file.path(), ": none of its ", tensors.size(),
        " tensors belongs to a ", model.architecture, "; the first is '",
        tensors.empty() ? "" : tensors.front().name, "'");

  // A head of another size is expected when a published trunk meets new classes.
  auto& mismatched = report.entries.mismatched;
  const auto of_head = [&](const std::string& line) {
    return line.starts_with(model.head_prefix());
  };
  const auto kept = std::remove_if(mismatched.begin(), mismatched.end(), of_head);
  report.head_replaced = kept != mismatched.end();
  mismatched.erase(kept, mismatched.end());
  if (report.head_replaced) {
    report.notes.push_back(str(
        "the classifier is new: the file's is for another number of classes than ", model.classes));
  }
  return report;
}

WeightsReport load_weights(Model& model, const std::string& path) {
  return load_weights(model, WeightFile(path));
}

}  // namespace burin::models
