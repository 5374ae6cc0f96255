#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "burin/models/download.h"

namespace burin::models {

/// Weights that a publisher offers for a model.
struct PretrainedWeights {
  std::string_view model;  // "resnet18"
  std::string_view file;   // "resnet18-f37072fd.pth": eight digits of its sha256 before the dot
  int resize;              // of the short side before the 224 crop, as the publisher evaluated
  double top1;             // ImageNet accuracy in percent, as published
};

/// All there are; of a model with several, the one to prefer comes first.
std::span<const PretrainedWeights> pretrained_weights();

/// The preferred weights of a model, or null.
const PretrainedWeights* find_pretrained(std::string_view model);

/// Where the publisher offers them: below $BURIN_WEIGHTS_URL, else at download.pytorch.org.
std::string address_of(const PretrainedWeights& weights);

/// The folder for downloads: $BURIN_CACHE, else ~/.cache/burin. Throws Error where neither is set.
std::string cache_folder();

/// The file where it lies already: in the cache, or in that of torch.hub ($TORCH_HOME, else
/// ~/.cache/torch). Nothing is downloaded.
std::optional<std::string> cached_file(const PretrainedWeights& weights);

/// Downloads the file into the cache, checks its sha256 and gives it its name; an interrupted
/// download is resumed. Returns the path. Throws Error that tells the address and where to put the
/// file by hand where there is no network, and refuses a file of another content.
std::string download_pretrained(const PretrainedWeights& weights,
                                const DownloadProgress& progress = {});

}  // namespace burin::models
