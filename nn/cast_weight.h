#pragma once

#include <memory>
#include <mutex>

#include "burin/tensor/tensor.h"

namespace burin::nn {

/// A copy of an f32 weight in 16 bits, and the content of the weight that it holds. An optimiser
/// that steps the weight writes it along, so a training step casts nothing. Threads may ask for it
/// at once, as long as none writes the weight.
class WeightCopy : public std::enable_shared_from_this<WeightCopy> {
 public:
  /// The weight as it is now, not recorded. Once an optimiser writes it the copy stays where it is:
  /// recorded steps read it there.
  Tensor of(const Tensor& weight, DType dtype);
  /// Whether a recorded step may take it as it is: the optimiser sees to it before each replay.
  bool may_be_recorded(const Tensor& weight) const;

  /// For an optimiser to write beside the weight; absent unless up to date, for the step may be
  /// skipped on the device. Call it before the weight is written, and written_along() after.
  View writable(const Tensor& weight);
  void written_along(const Tensor& weight);
  /// For the optimiser of a recorded step, which may read the copy: brings it up to date.
  void before_replay(const Tensor& weight);
  /// For an optimiser that will write it no more.
  void release();

 private:
  class InRecording;
  bool is_current(const ContentKey& weight) const;
  void set_current(const ContentKey& weight);
  Tensor make(const Tensor& weight, DType dtype);

  mutable std::mutex mutex_;
  Tensor copy_;
  ContentKey weight_;   // of the content that the copy holds
  ContentKey written_;  // of the copy since then
  bool kept_ = false;   // by an optimiser
};

/// A weight in the dtype of the activations it meets (which decide the precision; parameters
/// stay f32). For autograd it is a cast, although most passes find the copy made.
class CastWeight {
 public:
  Tensor in(DType dtype, const Tensor& weight);
  const std::shared_ptr<WeightCopy>& copy() const { return copy_; }

 private:
  std::shared_ptr<WeightCopy> copy_ = std::make_shared<WeightCopy>();
};

}  // namespace burin::nn
