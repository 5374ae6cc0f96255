#include "burin/apps/input_images.h"

#include <filesystem>
#include <iostream>
#include <iterator>

#include "burin/apps/exit.h"
#include "burin/data/decode.h"
#include "burin/data/scan.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

void add_folder(const std::string& folder, std::vector<InputImage>& images) {
  const size_t before = images.size();
  for (const fs::path& file :
       failing_with(exit_bad_input, [&] { return data::files_below(folder); })) {
    const bool image = data::format_of_extension(file.extension().string()).has_value();
    if (image) images.push_back({file.string(), std::nullopt});
  }
  if (images.size() == before) {
    throw Failure(exit_bad_input, str(folder, ": no image below this folder"),
                  "images are told by their extension: .jpg, .png, .webp, …");
  }
}

void add_path(const std::string& path, std::vector<InputImage>& images) {
  if (fs::is_directory(path)) {
    add_folder(path, images);
  } else if (fs::exists(path)) {
    images.push_back({path, std::nullopt});
  } else {
    throw Failure(exit_bad_input, str(path, ": no such file or folder"));
  }
}

void add_stdin(std::vector<InputImage>& images) {
  std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(std::cin), {}};
  if (data::detect_format(bytes)) {
    images.push_back({"-", std::move(bytes)});
    return;
  }
  if (bytes.empty()) {
    throw Failure(exit_bad_input, "-: nothing comes from stdin",
                  "the bytes of an image, or paths, one a line or separated by NUL");
  }
  const std::string text(bytes.begin(), bytes.end());
  const char separator = text.find('\0') == std::string::npos ? '\n' : '\0';
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) add_path(text.substr(begin, end - begin), images);
    begin = end + 1;
  }
}

}  // namespace

std::vector<InputImage> find_images(const std::vector<std::string>& words) {
  std::vector<InputImage> images;
  for (const std::string& word : words) {
    if (word == "-") {
      add_stdin(images);
    } else {
      add_path(word, images);
    }
  }
  return images;
}

}  // namespace burin::apps
