#include "burin/apps/preparation/manifest.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* heading = "part\tclass\tfile\tsource";

/// "real/1.jpg" of "/home/me/photos/real/1.jpg": what stays the same on another disk.
std::string class_and_name(const fs::path& path) {
  return (path.parent_path().filename() / path.filename()).string();
}

}  // namespace

std::string manifest_text(const std::vector<ManifestLine>& lines, const std::string& options) {
  std::string text = "# " + options + '\n' + heading + '\n';
  for (const ManifestLine& line : lines) {
    text += line.part + '\t' + line.class_name + '\t' + line.file + '\t' + line.source + '\n';
  }
  return text;
}

std::vector<SourceImage> read_list(const std::string& list, const fs::path& source,
                                   const std::vector<SourceImage>& found) {
  std::map<std::string, const SourceImage*> by_path, by_ending;
  for (const SourceImage& image : found) {
    by_path[fs::path(image.path).lexically_relative(source).string()] = &image;
    by_ending[class_and_name(image.path)] = &image;
  }
  std::ifstream in(list);
  check(in.good(), list, ": cannot be read");
  std::vector<SourceImage> images;
  std::map<std::string, bool> named;
  bool manifest = false;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    if (line == heading) {
      manifest = true;
      continue;
    }
    std::string part, class_name, file, path = line;
    if (manifest) {
      std::istringstream columns(line);
      std::getline(columns, part, '\t');
      std::getline(columns, class_name, '\t');
      std::getline(columns, file, '\t');
      std::getline(columns, path);
    }
    const auto exact = by_path.find(path), similar = by_ending.find(class_and_name(path));
    check(exact != by_path.end() || similar != by_ending.end(), list, ": there is no ", path,
          " below ", source.string());
    SourceImage image = exact != by_path.end() ? *exact->second : *similar->second;
    check(named.try_emplace(image.path, true).second, list, ": ", path, " is named twice");
    if (manifest) {
      image.part = part;
      image.class_name = class_name;
    }
    images.push_back(std::move(image));
  }
  check(!images.empty(), list, ": names no image");
  return images;
}

}  // namespace burin::apps
