#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "burin/apps/preparation/plan.h"

namespace burin::apps {

/// A line of manifest.tsv: where an image of a prepared set comes from.
struct ManifestLine {
  std::string part, class_name;
  std::string file;    // below the prepared folder
  std::string source;  // below the source folder
};

/// A heading with the options, then part, class, file, source in columns. A tab, a line end, a
/// carriage return and a backslash in a name stand there as \t, \n, \r and \\.
std::string manifest_text(const std::vector<ManifestLine>& lines, const std::string& options);

/// The images that a list names, in its order: a manifest (part and class as it says), or paths,
/// one a line, as another program listed them (the class is the folder's name). Paths are below
/// `source`, or end as one of the files of `found` does, so that a list from another disk will do.
/// Throws Error for a file that is not there or is named twice.
std::vector<SourceImage> read_list(const std::string& list, const std::filesystem::path& source,
                                   const std::vector<SourceImage>& found);

}  // namespace burin::apps
