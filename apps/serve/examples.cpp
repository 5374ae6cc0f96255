#include "burin/apps/serve/examples.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "burin/apps/exit.h"
#include "burin/data/decode.h"
#include "burin/data/file.h"
#include "burin/data/scan.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;
constexpr size_t most_examples = 12;

struct ShownFormat {
  data::ImageFormat format;
  const char* extension;
  const char* type;
};
constexpr ShownFormat shown_formats[] = {
    {data::ImageFormat::jpeg, ".jpg", "image/jpeg"},  {data::ImageFormat::png, ".png", "image/png"},
    {data::ImageFormat::webp, ".webp", "image/webp"}, {data::ImageFormat::gif, ".gif", "image/gif"},
    {data::ImageFormat::bmp, ".bmp", "image/bmp"},
};

std::optional<ExampleImage> load_example(const fs::path& file, int64_t max_bytes, size_t number) {
  if (fs::file_size(file) > static_cast<uintmax_t>(max_bytes)) return std::nullopt;
  const std::vector<uint8_t> bytes = data::read_file(file);
  const auto format = data::detect_format(bytes);
  for (const ShownFormat& shown : shown_formats) {
    if (format != shown.format) continue;
    return ExampleImage{std::to_string(number) + shown.extension, shown.type,
                        std::string(bytes.begin(), bytes.end())};
  }
  return std::nullopt;
}

}  // namespace

std::vector<ExampleImage> load_examples(const std::string& folder, int64_t max_bytes) {
  std::vector<ExampleImage> examples;
  if (folder.empty()) return examples;
  if (!fs::is_directory(folder)) {
    throw Failure(exit_bad_input, str(folder, ": no such folder"), "--examples takes a folder");
  }
  std::map<fs::path, std::vector<fs::path>> by_folder;
  for (const fs::path& file :
       failing_with(exit_bad_input, [&] { return data::files_below(folder); })) {
    if (fs::is_regular_file(file)) by_folder[file.parent_path()].push_back(file);
  }
  size_t longest = 0;
  for (const auto& [parent, files] : by_folder) {
    longest = std::max(longest, files.size());
  }
  for (size_t i = 0; i < longest; ++i) {
    for (const auto& [parent, files] : by_folder) {
      if (i >= files.size() || examples.size() == most_examples) continue;
      auto example = load_example(files[i], max_bytes, examples.size() + 1);
      if (example) examples.push_back(std::move(*example));
    }
  }
  if (examples.empty()) {
    throw Failure(exit_bad_input, str(folder, ": no image that a browser shows is in this folder"));
  }
  return examples;
}

}  // namespace burin::apps
