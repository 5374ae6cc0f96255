#include "burin/apps/training/checkpoint.h"

#include <charconv>

#include "burin/nn/state_dict.h"
#include "burin/tensor/context.h"
#include "burin/tensor/files/weight_file.h"
#include "burin/version.h"

namespace burin::apps {
namespace {

constexpr const char* format_key = "burin.checkpoint";
constexpr const char* format_version = "1";

template <class T>
std::string exact_text(T value) {
  char buffer[64];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  check(error == std::errc(), "checkpoint: a number has no text");
  return {buffer, end};
}

template <class T>
T parsed(const Checkpoint& checkpoint, const std::string& key) {
  const std::string& text = checkpoint.string(key);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(error == std::errc() && end == text.data() + text.size(), checkpoint.file, ": '", key,
        "' is '", text, "', not a number");
  return value;
}

}  // namespace

void Checkpoint::set(const std::string& key, int64_t value) {
  text[key] = exact_text(value);
}
void Checkpoint::set(const std::string& key, double value) {
  text[key] = exact_text(value);
}

const std::string& Checkpoint::string(const std::string& key) const {
  const auto found = text.find(key);
  check(found != text.end(), file, ": '", key, "' is missing");
  return found->second;
}

int64_t Checkpoint::integer(const std::string& key) const {
  return parsed<int64_t>(*this, key);
}
int64_t Checkpoint::count(const std::string& key) const {
  const int64_t value = integer(key);
  constexpr int64_t most = int64_t{1} << 53;  // far from where adding one more would overflow
  check(value >= 0 && value <= most, file, ": '", key, "' is ", value, ", no count");
  return value;
}
double Checkpoint::number(const std::string& key) const {
  return parsed<double>(*this, key);
}

void Checkpoint::restore(const std::vector<nn::NamedTensor>& named) const {
  const NoGradGuard no_grad;
  std::map<std::string_view, const Tensor*> saved;
  for (const nn::NamedTensor& entry : tensors) saved[entry.name] = &entry.tensor;
  std::vector<const Tensor*> found;
  for (const nn::NamedTensor& target : named) {
    const auto at = saved.find(target.name);
    check(at != saved.end(), file, ": ", target.name, " is missing");
    check(at->second->shape() == target.tensor.shape(), file, ": ", target.name, " is ",
          at->second->shape(), ", the run needs ", target.tensor.shape());
    found.push_back(at->second);
  }
  for (size_t i = 0; i < named.size(); ++i) {
    Tensor target = named[i].tensor;
    copy_into(target, *found[i]);
  }
}

void Checkpoint::save(const std::string& path) const {
  Metadata metadata = {{format_key, format_version}, {"burin.release", release}};
  for (const auto& [key, value] : text) metadata.emplace_back("run." + key, value);
  nn::save_state(path, tensors, metadata);
}

bool is_checkpoint(const WeightFile& file) {
  return file.metadata(format_key) != nullptr;
}

Checkpoint Checkpoint::load(const std::string& path) {
  const WeightFile source(path);
  const std::string* const format = source.metadata(format_key);
  check(format != nullptr && *format == format_version, path, ": is no checkpoint of this release");
  Checkpoint result;
  result.file = path;
  for (const auto& [key, value] : source.metadata()) {
    if (key.starts_with("run.")) result.text[key.substr(4)] = value;
  }
  for (const WeightEntry& entry : source.entries()) {
    const bool floating = entry.type < ElementType::i64;
    Tensor tensor = empty(entry.shape, {floating ? DType::f32 : DType::i64});
    source.read(entry, tensor.writable());
    result.tensors.push_back({entry.name, tensor});
  }
  return result;
}

}  // namespace burin::apps
