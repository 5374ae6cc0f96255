#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "burin/apps/training/batch_source.h"

namespace burin::apps {

/// Batches of images out of a table of all of them, u8, in the device's memory: each epoch only
/// where to look at each sample travels there. The batches are ImageSource's, bit for bit.
class TableSource final : public BatchSource {
 public:
  /// Decodes every image once. Throws Interrupted when `stop`, where there is one, becomes true.
  TableSource(const std::shared_ptr<const data::Dataset>& dataset, data::PlacedTransform transform,
              const data::LoaderOptions& options, InputMaker input, const std::atomic<bool>* stop);

  /// What the table takes.
  static size_t bytes(const data::Dataset& dataset, const data::PlacedTransform& transform);

  int64_t batches_per_epoch() const override;
  void start(int64_t epoch, int64_t first_batch) override;
  std::optional<TrainBatch> next() override;

 private:
  void fill(const std::shared_ptr<const data::Dataset>& dataset, const std::atomic<bool>* stop);
  int64_t samples() const { return static_cast<int64_t>(labels_.size()); }

  data::PlacedTransform transform_;
  data::LoaderOptions options_;
  InputMaker input_;
  Tensor table_;  // [samples, 3, H, W] u8
  std::vector<int64_t> labels_;

  Tensor rows_, row_labels_;  // of the epoch, in its order: kernels/gather_u8.h, and i64
  int64_t next_batch_ = 0;
  TrainBatch current_;  // in the same memory while batches have the same size
};

}  // namespace burin::apps
