#include "burin/tensor/files/weight_file.h"

#include "burin/tensor/files/safetensors.h"
#include "burin/tensor/files/torch_file.h"

namespace burin {

WeightListing read_weight_file(Bytes file) {
  // First: the length of its header may begin as a pickle does.
  if (looks_like_safetensors(file)) return read_safetensors(file);
  if (looks_like_torch_zip(file)) return read_torch_zip(file);
  if (looks_like_torch_legacy(file)) return read_torch_legacy(file);
  check(!file.empty(), "the file is empty");
  check(!as_text(file).starts_with("version https://git-lfs"),
        "a pointer of git-lfs, not the weights: run 'git lfs pull' where it came from");
  fail("no weight file that burin knows (safetensors, or .pth of torch.save)");
}

WeightFile::WeightFile(const std::string& path) : path_(path), file_(path) {
  try {
    listing_ = read_weight_file(file_.bytes());
  } catch (const Error& error) {
    fail(path, ": ", error.what());
  }
}

const WeightEntry* WeightFile::find(std::string_view name, std::string_view group) const {
  for (const WeightEntry& entry : entries()) {
    if (entry.name == name && entry.group == group) return &entry;
  }
  return nullptr;
}

const std::string* WeightFile::metadata(std::string_view key) const {
  for (const auto& [name, text] : listing_.metadata) {
    if (name == key) return &text;
  }
  return nullptr;
}

void WeightFile::read(const WeightEntry& entry, const View& to) const {
  try {
    read_entry(entry, to);
  } catch (const Error& error) {
    fail(path_, ": ", error.what());
  }
  file_.let_go(entry.storage);
}

void WeightFile::read(const WeightEntry& entry, DType dtype, void* to) const {
  read(entry, View::dense(to, dtype, entry.shape));
}

}  // namespace burin
