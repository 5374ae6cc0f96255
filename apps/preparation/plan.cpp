#include "burin/apps/preparation/plan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <sstream>

#include "burin/data/split.h"
#include "burin/kernels/base/error.h"

namespace burin::apps {
namespace {

constexpr std::array<const char*, 3> part_names = {"train", "val", "test"};

/// Indices of the images of each class, in order.
std::map<std::string, std::vector<size_t>> by_class(const std::vector<SourceImage>& images) {
  std::map<std::string, std::vector<size_t>> classes;
  for (size_t i = 0; i < images.size(); ++i) classes[images[i].class_name].push_back(i);
  return classes;
}

/// The first `count` of a seeded shuffle of `indices`.
std::vector<size_t> some(const std::vector<size_t>& indices, size_t count, uint64_t seed) {
  std::vector<size_t> chosen;
  const std::vector<int64_t> order = data::randperm(static_cast<int64_t>(indices.size()), seed);
  for (size_t k = 0; k < count; ++k) chosen.push_back(indices[static_cast<size_t>(order[k])]);
  return chosen;
}

void keep_some(std::vector<SourceImage>& images, const SplitPlan& plan) {
  const auto classes = by_class(images);
  const auto wanted = [&](size_t count) {
    return std::max<size_t>(1, static_cast<size_t>(plan.subset * static_cast<double>(count)));
  };
  size_t smallest = images.size();
  for (const auto& [name, indices] : classes) smallest = std::min(smallest, wanted(indices.size()));
  std::vector<bool> kept(images.size(), false);
  for (const auto& [name, indices] : classes) {
    const size_t count = plan.balance ? smallest : wanted(indices.size());
    for (const size_t i : some(indices, count, plan.seed)) kept[i] = true;
  }
  std::vector<SourceImage> rest;
  for (size_t i = 0; i < images.size(); ++i) {
    if (kept[i]) rest.push_back(std::move(images[i]));
  }
  images = std::move(rest);
}

void divide_like_fastai(std::vector<SourceImage>& images, const SplitPlan& plan) {
  check(plan.shares.size() == 2, "--splitter fastai divides into train and val: give two shares");
  const data::Split split =
      data::random_split(static_cast<int64_t>(images.size()), plan.shares[1], plan.seed);
  for (const int64_t i : split.train) images[static_cast<size_t>(i)].part = part_names[0];
  for (const int64_t i : split.valid) images[static_cast<size_t>(i)].part = part_names[1];
}

void divide_each_class(std::vector<SourceImage>& images, const SplitPlan& plan) {
  std::map<int64_t, std::string> part_of_group;
  for (const auto& [name, indices] : by_class(images)) {
    const std::vector<size_t> shuffled = some(indices, indices.size(), plan.seed);
    // Rounded ends, so that no image is lost and each share is met as nearly as it can be.
    double share = 0;
    size_t begin = 0;
    for (size_t p = 0; p < plan.shares.size(); ++p) {
      share += plan.shares[p];
      const bool last = p + 1 == plan.shares.size();
      const auto end =
          last ? shuffled.size()
               : static_cast<size_t>(std::lround(share * static_cast<double>(shuffled.size())));
      check(end > begin, "class '", name, "' has ", shuffled.size(), " images: ", part_names[p],
            " would get none of them");
      for (; begin < end; ++begin) {
        SourceImage& image = images[shuffled[begin]];
        image.part = part_names[p];
        if (image.group < 0) continue;
        image.part = part_of_group.try_emplace(image.group, image.part).first->second;
      }
    }
  }
}

}  // namespace

std::vector<double> parse_shares(const std::string& text) {
  std::vector<double> shares;
  std::istringstream in(text);
  double sum = 0;
  for (std::string word; std::getline(in, word, '/');) {
    std::istringstream number(word);
    double share = 0;
    check(number >> share && number.eof() && share > 0, "--split: '", word, "' in '", text,
          "' is no share above 0");
    shares.push_back(share);
    sum += share;
  }
  check(shares.size() == 2 || shares.size() == 3, "--split: '", text,
        "' is not train/val or train/val/test, such as 70/15/15");
  check(std::abs(sum - 100) < 1e-6 || std::abs(sum - 1) < 1e-6, "--split: the shares of '", text,
        "' sum to ", sum, ", not to 100");
  for (double& share : shares) share /= sum;
  return shares;
}

int64_t group_duplicates(std::vector<SourceImage>& images, int near) {
  std::vector<size_t> first(images.size());  // the earliest image alike
  std::iota(first.begin(), first.end(), size_t{0});
  int64_t twins = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    for (size_t k = 0; k < i && first[i] == i; ++k) {
      if (images[i].content == images[k].content ||
          data::look_alike(images[i].look, images[k].look, near)) {
        first[i] = first[k];
      }
    }
    if (first[i] == i) continue;
    ++twins;
    images[i].group = images[first[i]].group = static_cast<int64_t>(first[i]);
  }
  return twins;
}

void drop_duplicates(std::vector<SourceImage>& images) {
  std::map<int64_t, bool> seen;
  std::erase_if(images, [&](const SourceImage& image) {
    return image.group >= 0 && !seen.try_emplace(image.group, true).second;
  });
}

void divide(std::vector<SourceImage>& images, const SplitPlan& plan) {
  if (plan.subset < 1 || plan.balance) keep_some(images, plan);
  if (plan.shares.empty()) return;
  if (plan.fastai) {
    divide_like_fastai(images, plan);
  } else {
    divide_each_class(images, plan);
  }
}

}  // namespace burin::apps
