#include "burin/models/load_weights.h"

#include <algorithm>

#include "burin/tensor/files/state_dict_file.h"

namespace burin::models {
namespace {

/// Integers stay integers (num_batches_tracked), everything else is read as f32.
DType dtype_to_read(const WeightEntry& entry) {
  return entry.type < ElementType::i64 ? DType::f32 : DType::i64;
}

/// The tensors of a file that outlives them.
std::vector<nn::NamedSource> sources_of(const WeightFile& file, const StateDict& dict) {
  std::vector<nn::NamedSource> sources;
  for (const StateDict::Item& item : dict.items) {
    sources.push_back({item.name, item.entry->shape, [&file, &entry = *item.entry] {
                         Tensor tensor = empty(entry.shape, {dtype_to_read(entry)});
                         file.read(entry, tensor.writable());
                         return tensor;
                       }});
  }
  return sources;
}

/// Takes what belongs to the head out of a list of names; returns whether there was any.
bool remove_head(std::vector<std::string>& names, const std::string& prefix) {
  return std::erase_if(names, [&](const std::string& line) { return line.starts_with(prefix); }) >
         0;
}

}  // namespace

WeightsReport load_weights(Model& model, const WeightFile& file) {
  WeightsReport report;
  const StateDict dict = find_state_dict(file.entries());
  report.notes = file.notes();
  report.notes.insert(report.notes.end(), dict.notes.begin(), dict.notes.end());
  std::vector<nn::NamedSource> tensors = sources_of(file, dict);
  if (const std::string note = model.adopt(tensors); !note.empty()) report.notes.push_back(note);

  report.entries = nn::load_state(model, tensors);
  check(report.entries.loaded > 0, file.path(), ": none of its ", tensors.size(),
        " tensors belongs to a ", model.architecture, "; the first is '",
        tensors.empty() ? "" : tensors.front().name, "'");

  // A head of another size or kind is expected when a published trunk meets new classes.
  nn::LoadReport& entries = report.entries;
  report.head_replaced = remove_head(entries.mismatched, model.head_prefix());
  if (model.head_spec() != "linear" || report.head_replaced) {
    const bool missing = remove_head(entries.missing, model.head_prefix());
    remove_head(entries.unexpected, model.head_prefix());
    report.head_replaced = report.head_replaced || missing;
  }
  if (report.head_replaced) {
    report.notes.push_back(str("the classifier is new: the file's is of another kind, or for ",
                               "another number of classes than ", model.classes));
  }
  return report;
}

WeightsReport load_weights(Model& model, const std::string& path) {
  return load_weights(model, WeightFile(path));
}

}  // namespace burin::models
