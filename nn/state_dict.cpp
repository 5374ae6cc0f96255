#include "burin/nn/state_dict.h"

#include <unordered_map>
#include <utility>

#include "burin/tensor/context.h"
#include "burin/tensor/files/safetensors.h"
#include "burin/tensor/files/torch_file.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/random.h"

namespace burin::nn {
namespace {

void append_list(std::string& text, const char* title, const std::vector<std::string>& names) {
  if (names.empty()) return;
  text += str(title, " (", names.size(), "):");
  constexpr size_t shown = 8;
  for (size_t i = 0; i < names.size() && i < shown; ++i) text += (i == 0 ? " " : ", ") + names[i];
  text += names.size() > shown ? ", …\n" : "\n";
}

}  // namespace

std::string LoadReport::to_string() const {
  std::string text;
  append_list(text, "missing", missing);
  append_list(text, "unexpected", unexpected);
  append_list(text, "other shape", mismatched);
  return text;
}

LoadReport load_state(Module& module, const std::vector<NamedSource>& dict) {
  const NoGradGuard no_grad;
  LoadReport report;
  std::vector<std::pair<Tensor, const NamedSource*>> loads;
  std::vector<Tensor> counters;
  std::unordered_map<std::string, const NamedSource*> unused;
  for (const NamedSource& entry : dict) unused[entry.name] = &entry;
  for (NamedTensor& target : state(module)) {
    const auto found = unused.find(target.name);
    if (found == unused.end()) {
      if (target.name.ends_with("num_batches_tracked")) {
        counters.push_back(target.tensor);
      } else {
        report.missing.push_back(target.name);
      }
      continue;
    }
    const NamedSource& source = *found->second;
    unused.erase(found);
    if (source.shape != target.tensor.shape()) {
      report.mismatched.push_back(
          str(target.name, ": file ", source.shape, ", model ", target.tensor.shape()));
      continue;
    }
    loads.emplace_back(target.tensor, &source);
    ++report.loaded;
  }
  for (const NamedSource& entry : dict) {
    if (unused.contains(entry.name)) report.unexpected.push_back(entry.name);
  }
  if (loads.empty()) return report;

  for (auto& [target, source] : loads) copy_into(target, source->read());
  for (Tensor& counter : counters) fill_(counter, 0);
  return report;
}

LoadReport load_state(Module& module, const std::vector<NamedTensor>& dict) {
  std::vector<NamedSource> sources;
  for (const NamedTensor& entry : dict) {
    sources.push_back({entry.name, entry.tensor.shape(), [&entry] { return entry.tensor; }});
  }
  return load_state(module, sources);
}

void save_state(const std::string& path, const std::vector<NamedTensor>& state,
                const Metadata& metadata) {
  const NoGradGuard no_grad;
  std::vector<Tensor> on_host;  // alive until the file is written
  std::vector<NamedView> views;
  for (const NamedTensor& entry : state) {
    on_host.push_back(to_device(entry.tensor, Device::cpu()));
    views.push_back({entry.name, on_host.back().view()});
  }
  if (path.ends_with(".pth") || path.ends_with(".pt")) {
    check(metadata.empty(), path, ": a .pth file has no place for metadata");
    write_torch_file(path, views);
  } else {
    write_safetensors(path, views, metadata);
  }
}

}  // namespace burin::nn
