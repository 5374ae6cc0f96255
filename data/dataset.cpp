#include "burin/data/dataset.h"

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <limits>
#include <set>
#include <sstream>
#include <utility>

#include "burin/kernels/base/error.h"

namespace burin::data {

std::vector<int64_t> class_counts(const Dataset& dataset) {
  std::vector<int64_t> counts(dataset.classes().size());
  for (int64_t i = 0; i < dataset.size(); ++i) ++counts[static_cast<size_t>(dataset.label(i))];
  return counts;
}

Subset::Subset(std::shared_ptr<const Dataset> base, std::vector<int64_t> indices)
    : base_(std::move(base)), indices_(std::move(indices)) {
  for (const int64_t i : indices_) {
    check(i >= 0 && i < base_->size(), "subset: index ", i, " is outside of the data set of ",
          base_->size(), " samples");
  }
}

JoinedDataset::JoinedDataset(std::vector<std::shared_ptr<const Dataset>> parts)
    : parts_(std::move(parts)) {
  check(!parts_.empty(), "joined data set: there are no parts");
  std::set<std::string> names;
  for (const auto& part : parts_) names.insert(part->classes().begin(), part->classes().end());
  classes_.assign(names.begin(), names.end());
  for (size_t p = 0; p < parts_.size(); ++p) {
    std::vector<int64_t> labels;  // of the part's classes among all
    for (const std::string& name : parts_[p]->classes()) {
      labels.push_back(std::lower_bound(classes_.begin(), classes_.end(), name) - classes_.begin());
    }
    for (int64_t i = 0; i < parts_[p]->size(); ++i) {
      samples_.push_back({p, i, labels[static_cast<size_t>(parts_[p]->label(i))]});
    }
  }
}

CachedDataset::CachedDataset(std::shared_ptr<const Dataset> base, int64_t limit_bytes)
    : base_(std::move(base)),
      limit_bytes_(limit_bytes),
      images_(static_cast<size_t>(base_->size())) {}

int64_t CachedDataset::default_limit_bytes() {
  std::ifstream in("/proc/meminfo");
  std::string key;
  int64_t kilobytes = 0;
  std::string unit;
  while (in >> key >> kilobytes) {
    if (key == "MemAvailable:") return kilobytes * 1024 / 4;
    in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return int64_t{1} << 30;
}

std::shared_ptr<const Image> CachedDataset::load(int64_t i) const {
  const auto slot = static_cast<size_t>(i);
  {
    const std::lock_guard lock(mutex_);
    if (images_[slot]) return images_[slot];
  }
  std::shared_ptr<const Image> image = base_->load(i);
  const auto bytes = static_cast<int64_t>(image->pixels.size());
  const std::lock_guard lock(mutex_);
  if (!images_[slot] && held_bytes_ + bytes <= limit_bytes_) {
    images_[slot] = image;
    held_bytes_ += bytes;
    ++held_;
  }
  return image;
}

int64_t CachedDataset::held_bytes() const {
  const std::lock_guard lock(mutex_);
  return held_bytes_;
}

std::string CachedDataset::status() const {
  const std::lock_guard lock(mutex_);
  std::ostringstream out;
  out << held_ << " of " << size() << " decoded images kept in memory (" << std::fixed
      << std::setprecision(1) << static_cast<double>(held_bytes_) / 1e6 << " MB)";
  return out.str();
}

}  // namespace burin::data
