#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "burin/data/dataset.h"
#include "burin/data/decode.h"

namespace burin::data {

/// Throws Error with a hint unless there is such a folder.
void expect_folder(const std::filesystem::path& directory);

/// DIR/<class>/…/*.jpg: the folders directly in DIR are the classes, sorted by name (bytes); their
/// image files, also in folders below, are the samples, sorted by class and path. What begins with
/// a dot is skipped, extensions are compared without case (format_of_extension).
class ImageFolder : public Dataset {
 public:
  /// Lists the folder; nothing is decoded.
  /// Throws Error with a hint if there is no such folder, no class folder, or a class without
  /// images.
  explicit ImageFolder(const std::filesystem::path& directory, DecodeOptions options = {});
  /// The same with the classes given, for a validation set: a class may be empty, a folder that is
  /// none of them is an Error.
  ImageFolder(const std::filesystem::path& directory, std::vector<std::string> classes,
              DecodeOptions options = {});

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  const std::vector<std::string>& classes() const override { return classes_; }
  int64_t label(int64_t i) const override { return samples_[static_cast<size_t>(i)].label; }
  std::string name(int64_t i) const override { return path(i).string(); }
  std::shared_ptr<const Image> load(int64_t i) const override;

  const std::filesystem::path& path(int64_t i) const {
    return samples_[static_cast<size_t>(i)].path;
  }
  /// Files in the class folders whose extension is not one of ours: worth a line to the user.
  const std::vector<std::filesystem::path>& skipped() const { return skipped_; }

 private:
  struct Sample {
    std::filesystem::path path;
    int64_t label = 0;
  };
  void list_classes(const std::filesystem::path& directory);

  DecodeOptions options_;
  std::vector<std::string> classes_;
  std::vector<Sample> samples_;
  std::vector<std::filesystem::path> skipped_;
};

/// The parts of a data set on disk; a null part is not there.
struct FolderSplits {
  std::shared_ptr<ImageFolder> train;
  std::shared_ptr<ImageFolder> val;
  std::shared_ptr<ImageFolder> test;
};

/// Opens DIR/{train,val,test}/<class>/* or, where DIR/train has no folders in it, DIR/<class>/*
/// with everything in `train`. The classes of `train` hold for all parts. Throws Error as
/// ImageFolder does; the hint names both layouts.
FolderSplits open_image_folders(const std::filesystem::path& directory,
                                const DecodeOptions& options = {});

}  // namespace burin::data
