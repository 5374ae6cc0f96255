#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "burin/data/look.h"

namespace burin::apps {

/// One image on its way into a prepared data set.
struct SourceImage {
  std::string path;  // as it was found
  std::string class_name;
  std::string part;      // "train", …; empty where the set is not split
  uint64_t content = 0;  // of its pixels: equal ones are duplicates
  data::Look look = {};
  int64_t group = -1;  // duplicates of either kind share one
};

/// How images are chosen and divided.
struct SplitPlan {
  std::vector<double> shares;  // of train, val, test: "70/15/15"; empty: not split
  bool fastai = false;         // as fastai's RandomSplitter: one shuffle of all, train and val only
  uint64_t seed = 42;
  double subset = 1;     // share of each class that is used
  bool balance = false;  // as many of each class as of the smallest
};

/// "70/15/15" → {0.7, 0.15, 0.15}: two or three numbers that sum to 100 (or 1).
/// Throws Error otherwise.
std::vector<double> parse_shares(const std::string& text);

/// Gives images that are equal, or that data::look_alike() at a distance of `near` bits (−1: don't
/// look), the same group. Returns how many images have a twin before them in the list.
int64_t group_duplicates(std::vector<SourceImage>& images, int near);

/// Of each group only the first stays.
void drop_duplicates(std::vector<SourceImage>& images);

/// Takes the subset, balances, and sets the part of each image; the order of what stays is kept.
/// Each class is divided by itself, and a group goes to the part of its first member whole, so that
/// no picture is trained on and tested with. With `fastai` the validation set is the first
/// int(share · n) of torch's randperm(n, seed) over the list as it stands, and groups are not
/// heeded. Throws Error where a part would stay empty.
void divide(std::vector<SourceImage>& images, const SplitPlan& plan);

}  // namespace burin::apps
