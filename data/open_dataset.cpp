#include "burin/data/open_dataset.h"

#include <utility>

#include "burin/data/cifar.h"
#include "burin/data/idx.h"
#include "burin/data/image_folder.h"
#include "burin/data/split.h"

namespace burin::data {

DatasetParts open_dataset(const std::filesystem::path& directory, const DecodeOptions& options) {
  if (is_idx_folder(directory)) {
    return {.train = open_idx_folder(directory, "train"),
            .val = nullptr,
            .test = open_idx_folder(directory, "t10k"),
            .kind = "idx"};
  }
  if (is_cifar_folder(directory)) {
    return {.train = open_cifar_folder(directory, "train"),
            .val = nullptr,
            .test = open_cifar_folder(directory, "test"),
            .kind = "CIFAR-10"};
  }
  FolderSplits splits = open_image_folders(directory, options);
  return {.train = std::move(splits.train),
          .val = std::move(splits.val),
          .test = std::move(splits.test),
          .kind = "image folder"};
}

DatasetParts with_validation(DatasetParts parts, double fraction, uint64_t seed) {
  if (parts.val) return parts;
  const std::shared_ptr<const Dataset> whole = parts.train;
  Split split = random_split(whole->size(), fraction, seed);
  parts.train = std::make_shared<Subset>(whole, std::move(split.train));
  parts.val = std::make_shared<Subset>(whole, std::move(split.valid));
  return parts;
}

}  // namespace burin::data
