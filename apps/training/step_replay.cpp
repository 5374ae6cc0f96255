#include "burin/apps/training/step_replay.h"

#include "burin/kernels/range.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/context.h"

namespace burin::apps {
namespace {

constexpr int eager_steps = 2;  // the first makes moments, the second runs in memory that is there

}  // namespace

StepReplay::StepReplay(Device device, Step step) : device_(device), step_(std::move(step)) {}

Tensor StepReplay::run(const TrainBatch& batch, nn::Optimizer& optimizer, nn::Ema* ema) {
  if (!graph_ && refusal_.empty() && ++steps_ > eager_steps) record(batch, optimizer, ema);
  if (!can_replay(batch)) return step_(batch);
  if (!batch.x.is_same(inputs_.x)) copy_into(inputs_.x, batch.x);
  if (!batch.labels.is_same(inputs_.labels)) copy_into(inputs_.labels, batch.labels);
  const Range range(device_, "replayed step");
  optimizer.before_replay();
  if (ema != nullptr) ema->before_replay();
  graph_->replay();
  optimizer.after_replay();
  if (ema != nullptr) ema->after_replay();
  return loss_;
}

bool StepReplay::can_replay(const TrainBatch& batch) const {
  return graph_ && batch.x.shape() == inputs_.x.shape();
}

void StepReplay::record(const TrainBatch& batch, nn::Optimizer& optimizer, nn::Ema* ema) {
  inputs_ = batch;
  optimizer.before_replay();
  if (ema != nullptr) ema->before_replay();
  // The recording gets memory of its own: what earlier steps have left behind goes first.
  optimizer.zero_grad();
  synchronize(device_);
  allocator_of(device_)->release_cached();
  try {
    graph_ = std::make_unique<StepGraph>(device_, [&] { loss_ = step_(inputs_); });
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    forget();
    refusal_ = error.what();
  }
}

void StepReplay::forget() {
  graph_.reset();
  loss_ = {};
  inputs_ = {};
  steps_ = 0;
  refusal_.clear();
}

}  // namespace burin::apps
