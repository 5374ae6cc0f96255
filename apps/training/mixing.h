#pragma once

#include "burin/apps/train_options.h"
#include "burin/apps/training/batch_source.h"

namespace burin::apps {

/// Images of a batch mixed with their neighbours, and what their labels have become.
struct MixedBatch {
  Tensor x;
  Tensor targets;  // [N, classes] f32: the share of each class; undefined where nothing was mixed
};

/// MixUp (Zhang et al. 2018, arXiv:1710.09412) with fastai's λ = max(λ, 1 − λ) for each image, or
/// CutMix (Yun et al. 2019, arXiv:1905.04899) with one box for the batch; with both asked for, one
/// of them at random. Each image meets the one before it: batches are shuffled already. What is
/// drawn depends on the seed, the epoch and the batch's number alone.
class Mixer {
 public:
  Mixer(const TrainOptions& options, int64_t classes);

  bool active() const { return mixup_ > 0 || cutmix_ > 0; }
  MixedBatch mix(const TrainBatch& batch, int64_t epoch, int64_t number) const;

 private:
  double mixup_, cutmix_, label_smoothing_;
  uint64_t seed_;
  int64_t classes_;
};

/// Mean cross-entropy against shares of the classes: −Σ targets · log softmax(logits) / N.
Tensor soft_cross_entropy(const Tensor& logits, const Tensor& targets);

}  // namespace burin::apps
