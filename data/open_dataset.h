#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "burin/data/dataset.h"
#include "burin/data/decode.h"

namespace burin::data {

/// The parts of a data set on disk; a null part is not there.
struct DatasetParts {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> val;
  std::shared_ptr<const Dataset> test;
  std::string kind;  // "image folder", "idx" or "CIFAR-10", for the log
};

/// Opens whatever lies in `directory`: MNIST's idx files, CIFAR-10's binary files (their test files
/// are `test`), or class folders (image_folder.h). Throws Error with a hint if it is none of them.
DatasetParts open_dataset(const std::filesystem::path& directory,
                          const DecodeOptions& options = {});

/// Where `parts` has no `val`: takes random_split(n, fraction, seed) from `train`, in fastai's way.
DatasetParts with_validation(DatasetParts parts, double fraction, uint64_t seed);

}  // namespace burin::data
