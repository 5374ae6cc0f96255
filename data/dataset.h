#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "burin/data/image.h"

namespace burin::data {

/// Labelled images. Every function may be called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  /// Names of the labels: label l is classes()[l].
  virtual const std::vector<std::string>& classes() const = 0;
  virtual int64_t label(int64_t i) const = 0;
  /// What to call sample i in a message or a table: its file, or "train-images-idx3-ubyte[17]".
  virtual std::string name(int64_t i) const = 0;
  /// Throws Error naming the sample if it can't be read or decoded.
  virtual std::shared_ptr<const Image> load(int64_t i) const = 0;
};

/// Samples per class.
std::vector<int64_t> class_counts(const Dataset& dataset);

/// Some samples of another data set, in the given order.
class Subset : public Dataset {
 public:
  /// Throws Error for an index outside of `base`.
  Subset(std::shared_ptr<const Dataset> base, std::vector<int64_t> indices);

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  const std::vector<std::string>& classes() const override { return base_->classes(); }
  int64_t label(int64_t i) const override { return base_->label(at(i)); }
  std::string name(int64_t i) const override { return base_->name(at(i)); }
  std::shared_ptr<const Image> load(int64_t i) const override { return base_->load(at(i)); }

 private:
  int64_t at(int64_t i) const { return indices_[static_cast<size_t>(i)]; }

  std::shared_ptr<const Dataset> base_;
  std::vector<int64_t> indices_;
};

/// Several data sets as one, each whole, one after another; its classes are all of theirs, sorted
/// by name.
class JoinedDataset : public Dataset {
 public:
  /// Throws Error for an empty list.
  explicit JoinedDataset(std::vector<std::shared_ptr<const Dataset>> parts);

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  const std::vector<std::string>& classes() const override { return classes_; }
  int64_t label(int64_t i) const override { return sample(i).label; }
  std::string name(int64_t i) const override { return part(i).name(sample(i).index); }
  std::shared_ptr<const Image> load(int64_t i) const override {
    return part(i).load(sample(i).index);
  }

 private:
  struct Sample {
    size_t part = 0;
    int64_t index = 0;  // within the part
    int64_t label = 0;  // among the joint classes
  };
  const Sample& sample(int64_t i) const { return samples_[static_cast<size_t>(i)]; }
  const Dataset& part(int64_t i) const { return *parts_[sample(i).part]; }

  std::vector<std::shared_ptr<const Dataset>> parts_;
  std::vector<std::string> classes_;
  std::vector<Sample> samples_;
};

/// Keeps what `base` decodes in memory, until `limit_bytes` are held: from the second epoch on
/// a small data set is not decoded again. First come, first kept; nothing is dropped, because a
/// shuffled epoch gains nothing from recency.
class CachedDataset : public Dataset {
 public:
  explicit CachedDataset(std::shared_ptr<const Dataset> base,
                         int64_t limit_bytes = default_limit_bytes());
  /// A quarter of the memory that the system has available now.
  static int64_t default_limit_bytes();

  int64_t size() const override { return base_->size(); }
  const std::vector<std::string>& classes() const override { return base_->classes(); }
  int64_t label(int64_t i) const override { return base_->label(i); }
  std::string name(int64_t i) const override { return base_->name(i); }
  std::shared_ptr<const Image> load(int64_t i) const override;

  int64_t held_bytes() const;
  /// "160 of 160 decoded images kept in memory (31.5 MB)", for the log.
  std::string status() const;

 private:
  std::shared_ptr<const Dataset> base_;
  int64_t limit_bytes_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::vector<std::shared_ptr<const Image>> images_;
  mutable int64_t held_ = 0;
  mutable int64_t held_bytes_ = 0;
};

}  // namespace burin::data
