#include <filesystem>
#include <map>
#include <span>

#include "burin/apps/lint/finding.h"
#include "burin/apps/table.h"
#include "burin/data/file.h"
#include "burin/tensor/files/sha256.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

/// Size → files of it.
std::map<uintmax_t, std::vector<std::string>> files_by_size(const data::Dataset& dataset) {
  std::map<uintmax_t, std::vector<std::string>> files;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    std::error_code no_file;
    const std::string name = dataset.name(i);
    const uintmax_t size = fs::file_size(name, no_file);
    if (!no_file) files[size].push_back(name);
  }
  return files;
}

std::string content_of(const std::string& file) {
  const std::vector<uint8_t> bytes = data::read_file(file);
  return sha256(std::as_bytes(std::span(bytes)));
}

}  // namespace

Findings lint_leaks(const data::Dataset& train, const data::Dataset& val) {
  const auto train_files = files_by_size(train);
  int64_t leaks = 0;
  std::string example;
  for (const auto& [size, val_names] : files_by_size(val)) {
    const auto same_size = train_files.find(size);
    if (same_size == train_files.end()) continue;
    std::map<std::string, std::string> contents;  // of raw pixels every file is as long
    for (const std::string& name : same_size->second) contents[content_of(name)] = name;
    for (const std::string& name : val_names) {
      const auto twin = contents.find(content_of(name));
      if (twin == contents.end()) continue;
      ++leaks;
      example = str(name, " = ", twin->second);
    }
  }
  if (leaks == 0) return {};
  const double share = static_cast<double>(leaks) / static_cast<double>(val.size());
  constexpr double too_many = 0.05;
  return {
      {share < too_many ? Finding::Level::warning : Finding::Level::fatal,
       "the same picture in two parts",
       str(leaks, " of ", val.size(), " validation images (", fixed(100 * share, 1),
           " %) are training images as well, such as ", example,
           ". The model is then tested on what it has learnt by heart, and the result is better "
           "than it will ever be on new images. `burin prepare SRC DST --split 80/20 --dedupe` "
           "divides anew; `burin lint DIR` also finds near twins.")}};
}

}  // namespace burin::apps
