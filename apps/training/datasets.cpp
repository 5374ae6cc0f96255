#include "burin/apps/training/datasets.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "burin/apps/training/model_file.h"
#include "burin/data/cifar.h"
#include "burin/data/idx.h"
#include "burin/data/image_folder.h"
#include "burin/data/open_dataset.h"
#include "burin/data/split.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;
using data::Dataset;
using DatasetPointer = std::shared_ptr<const Dataset>;

std::vector<int64_t> all_indices(const Dataset& dataset) {
  std::vector<int64_t> indices(static_cast<size_t>(dataset.size()));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return indices;
}

void check_trainable(const Dataset& train) {
  check(train.classes().size() >= 2, "there is one class only, '", train.classes().front(),
        "': nothing to tell apart\n  hint: put each class into a folder of its own");
  check_class_names(train.classes());
  const std::vector<int64_t> counts = data::class_counts(train);
  for (size_t c = 0; c < counts.size(); ++c) {
    check(counts[c] >= 2, "class '", train.classes()[c], "' has ", counts[c],
          " training image(s): at least 2 are needed\n  hint: add images, or lower --val-frac");
  }
}

/// One data set, or several as one. A validation set must know no other classes than `classes`.
DatasetPointer joined(const std::vector<DatasetPointer>& parts,
                      const std::vector<std::string>* classes) {
  DatasetPointer whole =
      parts.size() == 1 ? parts.front() : std::make_shared<data::JoinedDataset>(parts);
  check(classes == nullptr || whole->classes() == *classes,
        "the validation parts do not have all the classes that are trained");
  return whole;
}

/// train and val from folders of any kind, not yet subset.
TrainingData open_parts(const TrainOptions& options) {
  TrainingData result;
  if (!options.train_dir.empty()) {
    auto train = std::make_shared<data::ImageFolder>(options.train_dir);
    result.classes = train->classes();
    result.train = train;
    if (!options.test_dir.empty()) {
      result.val = std::make_shared<data::ImageFolder>(options.test_dir, train->classes());
    }
    return result;
  }
  check(!options.data.empty(),
        "no data folder was given\n  hint: burin train DIR, with DIR/<class>/*.jpg");
  std::vector<DatasetPointer> train, val;
  result.small_and_equal = true;
  for (const std::string& folder : options.data) {
    const data::DatasetParts parts = data::open_dataset(folder);
    check(parts.train != nullptr, folder, ": has no training part");
    train.push_back(parts.train);
    if (parts.val) val.push_back(parts.val);
    result.small_and_equal = result.small_and_equal && parts.kind != "image folder";
    if (parts.train->classes() != train.front()->classes()) {
      result.notes.push_back(str(folder, ": its classes are ", listed(parts.train->classes()),
                                 ", those of ", options.data.front(), " are ",
                                 listed(train.front()->classes()), ": all of them are trained"));
    }
  }
  result.train = joined(train, nullptr);
  result.classes = result.train->classes();
  if (!options.test_dir.empty()) {
    val = {std::make_shared<data::ImageFolder>(options.test_dir, result.classes)};
    result.small_and_equal = false;
  }
  if (!val.empty()) result.val = joined(val, &result.classes);
  return result;
}

/// A class may be called as a part is; a part has folders of its own.
bool is_part(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  return !error && std::any_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    return entry.is_directory();
  });
}

}  // namespace

TrainingData open_training_data(const TrainOptions& options) {
  TrainingData result = open_parts(options);
  if (!result.val) {
    check(options.val_frac > 0 && options.val_frac < 1, "--val-frac ", options.val_frac,
          " leaves nothing to validate on, or to train on");
    const data::Split split =
        data::random_split(result.train->size(), options.val_frac, options.seed);
    check(!split.valid.empty(), result.train->size(), " images are too few to set --val-frac ",
          options.val_frac, " of them aside");
    result.val = std::make_shared<data::Subset>(result.train, split.valid);
    result.train = std::make_shared<data::Subset>(result.train, split.train);
  }
  if (options.subset < 1) {
    const std::vector<int64_t> kept =
        data::random_subset(all_indices(*result.train), options.subset, options.seed);
    result.train = std::make_shared<data::Subset>(result.train, kept);
    result.notes.push_back(
        str("--subset ", options.subset, ": ", kept.size(), " training images are used"));
  }
  check_trainable(*result.train);
  result.train = std::make_shared<data::CachedDataset>(result.train);
  result.val = std::make_shared<data::CachedDataset>(result.val);
  return result;
}

std::string evaluation_part(const std::string& asked, const std::string& directory) {
  if (asked != "auto") return asked;
  if (data::is_idx_folder(directory) || data::is_cifar_folder(directory)) return "test";
  for (const char* const part : {"test", "val"}) {
    if (is_part(fs::path(directory) / part)) return part;
  }
  return "all";
}

std::shared_ptr<const Dataset> open_evaluation_data(const std::string& directory,
                                                    const std::string& part,
                                                    const std::vector<std::string>& classes) {
  data::expect_folder(directory);
  const bool all = part == "all";
  std::vector<DatasetPointer> found;
  if (data::is_idx_folder(directory) || data::is_cifar_folder(directory)) {
    const data::DatasetParts parts = data::open_dataset(directory);
    if (all || part == "train") found.push_back(parts.train);
    if (all || part == "test") found.push_back(parts.test);
    check(parts.train->classes().size() == classes.size(), directory, ": has ",
          parts.train->classes().size(), " classes, the model ", classes.size());
  } else {
    for (const char* const name : {"train", "val", "test"}) {
      const fs::path folder = fs::path(directory) / name;
      if ((all || part == name) && is_part(folder)) {
        found.push_back(std::make_shared<data::ImageFolder>(folder, classes));
      }
    }
    if (all && found.empty()) {
      found.push_back(std::make_shared<data::ImageFolder>(directory, classes));
    }
  }
  check(!found.empty(), directory, ": has no part '", part,
        "'\n  hint: --split all takes every image of it");
  return joined(found, nullptr);
}

uint64_t fingerprint(const Dataset& dataset) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  const auto mix = [&](const void* bytes, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      hash = (hash ^ static_cast<const uint8_t*>(bytes)[i]) * 0x100000001b3u;
    }
  };
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::string name = fs::path(dataset.name(i)).filename().string();
    const int64_t label = dataset.label(i);
    mix(name.data(), name.size());
    mix(&label, sizeof(label));
  }
  return hash;
}

}  // namespace burin::apps
