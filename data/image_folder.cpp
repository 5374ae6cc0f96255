#include "burin/data/image_folder.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "burin/kernels/base/error.h"

namespace burin::data {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) {
  return path.filename().native().starts_with('.');
}

/// The entries of a folder that are not hidden, sorted by name.
std::vector<fs::path> entries_of(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (!is_hidden(it->path())) entries.push_back(it->path());
  }
  check(!error, directory.string(), ": can't be listed: ", error.message());
  std::sort(entries.begin(), entries.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return entries;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool has_folders(const fs::path& directory) {
  if (!is_folder(directory)) return false;
  const std::vector<fs::path> entries = entries_of(directory);
  return std::any_of(entries.begin(), entries.end(), is_folder);
}

/// Files below `directory`, folder by folder. Links to folders are not followed: they may lead
/// round in a circle.
void collect_files(const fs::path& directory, std::vector<fs::path>& files) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (const fs::path& entry : entries_of(directory)) {
    if (!is_folder(entry)) {
      files.push_back(entry);
    } else if (!fs::is_symlink(entry, error)) {
      folders.push_back(entry);
    }
  }
  for (const fs::path& folder : folders) collect_files(folder, files);
}

std::string layouts_of(const fs::path& directory) {
  const std::string name = directory.string();
  return str("\n  hint: expected ", name, "/<class>/*.jpg or ", name,
             "/{train,val,test}/<class>/*.jpg");
}

}  // namespace

void expect_folder(const fs::path& directory) {
  std::error_code error;
  check(fs::exists(directory, error), directory.string(), ": no such folder",
        layouts_of(directory));
  check(is_folder(directory), directory.string(), ": is a file, not a folder",
        layouts_of(directory));
}

ImageFolder::ImageFolder(const fs::path& directory, DecodeOptions options) : options_(options) {
  expect_folder(directory);
  for (const fs::path& entry : entries_of(directory)) {
    if (is_folder(entry)) classes_.push_back(entry.filename().string());
  }
  check(!classes_.empty(), directory.string(), ": no class folders found", layouts_of(directory));
  list_classes(directory);
  const std::vector<int64_t> counts = class_counts(*this);
  for (size_t label = 0; label < classes_.size(); ++label) {
    check(counts[label] > 0, (directory / classes_[label]).string(),
          ": no images in this class folder",
          "\n  hint: remove the folder, or put .jpg, .png or .webp files there");
  }
}

ImageFolder::ImageFolder(const fs::path& directory, std::vector<std::string> classes,
                         DecodeOptions options)
    : options_(options), classes_(std::move(classes)) {
  expect_folder(directory);
  for (const fs::path& entry : entries_of(directory)) {
    const std::string name = entry.filename().string();
    const bool known = std::find(classes_.begin(), classes_.end(), name) != classes_.end();
    check(known || !is_folder(entry), entry.string(), ": there is no class '", name,
          "'; there are: ", listed(classes_, 10),
          "\n  hint: every part of a data set needs class folders of the same names");
  }
  list_classes(directory);
  check(!samples_.empty(), directory.string(), ": no images found", layouts_of(directory));
}

void ImageFolder::list_classes(const fs::path& directory) {
  for (size_t label = 0; label < classes_.size(); ++label) {
    const fs::path folder = directory / classes_[label];
    if (!is_folder(folder)) continue;
    std::vector<fs::path> files;
    collect_files(folder, files);
    for (fs::path& file : files) {
      if (format_of_extension(file.extension().string())) {
        samples_.push_back({std::move(file), static_cast<int64_t>(label)});
      } else {
        skipped_.push_back(std::move(file));
      }
    }
  }
}

std::shared_ptr<const Image> ImageFolder::load(int64_t i) const {
  return std::make_shared<Image>(load_image(path(i), options_));
}

FolderSplits open_image_folders(const fs::path& directory, const DecodeOptions& options) {
  FolderSplits splits;
  expect_folder(directory);
  if (!has_folders(directory / "train")) {
    splits.train = std::make_shared<ImageFolder>(directory, options);
    return splits;
  }
  splits.train = std::make_shared<ImageFolder>(directory / "train", options);
  const std::vector<std::string>& classes = splits.train->classes();
  if (is_folder(directory / "val")) {
    splits.val = std::make_shared<ImageFolder>(directory / "val", classes, options);
  }
  if (is_folder(directory / "test")) {
    splits.test = std::make_shared<ImageFolder>(directory / "test", classes, options);
  }
  return splits;
}

}  // namespace burin::data
