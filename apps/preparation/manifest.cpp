#include "burin/apps/preparation/manifest.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <string_view>

#include "burin/data/file.h"
#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* heading = "part\tclass\tfile\tsource";

/// What would end a column or a line, and the mark that says so.
constexpr std::string_view escaped_characters = "\t\n\r\\", escaped_letters = "tnr\\";

std::string escaped(std::string_view text) {
  std::string column;
  for (const char c : text) {
    const size_t which = escaped_characters.find(c);
    column += which == std::string_view::npos ? std::string(1, c)
                                              : std::string{'\\', escaped_letters[which]};
  }
  return column;
}

/// The reverse. A backslash that stands before anything else is one.
std::string unescaped(std::string_view column) {
  std::string text;
  for (size_t i = 0; i < column.size(); ++i) {
    const size_t which = column[i] == '\\' && i + 1 < column.size()
                             ? escaped_letters.find(column[i + 1])
                             : std::string_view::npos;
    text += which == std::string_view::npos ? column[i] : escaped_characters[which];
    if (which != std::string_view::npos) ++i;
  }
  return text;
}

/// "real/1.jpg" of "/home/me/photos/real/1.jpg": what stays the same on another disk.
std::string class_and_name(const fs::path& path) {
  return (path.parent_path().filename() / path.filename()).string();
}

}  // namespace

std::string manifest_text(const std::vector<ManifestLine>& lines, const std::string& options) {
  std::string text = "# " + escaped(options) + '\n' + heading + '\n';
  for (const ManifestLine& line : lines) {
    text += line.part + '\t' + escaped(line.class_name) + '\t' + escaped(line.file) + '\t' +
            escaped(line.source) + '\n';
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
  std::istringstream in(data::read_text_or_pipe(list));
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
      class_name = unescaped(class_name);
      path = unescaped(path);
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
