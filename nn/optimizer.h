#pragma once

#include <string>
#include <vector>

#include "burin/nn/module.h"

namespace burin::nn {

/// Parameters that share learning rate and weight decay. Schedules move learning_rate and momentum.
struct ParameterGroup {
  std::vector<NamedTensor> parameters;
  double learning_rate = 1e-3;
  double momentum = 0.9;  // Adam's beta1, SGD's momentum
  double weight_decay = 0;
  /// On bias vectors and norm parameters (one dimension) too; fastai leaves them out.
  bool decay_vectors = true;
};

/// Base of the optimisers: groups, the scalars each group's step reads from device memory, and the
/// state that a checkpoint keeps. Parameters without a gradient are left alone.
class Optimizer {
 public:
  explicit Optimizer(std::vector<ParameterGroup> groups);
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One step over every group. Queues work and returns; nothing waits.
  void step();
  /// The host's part of a step, for one that was recorded (tensor/step_graph.h) and is replayed:
  /// before it, brings learning rates and momenta to the device where they changed, and 16-bit
  /// copies of weights up to date where others have written the weights; after it, counts it: for
  /// a recording of several steps, each of which steps the same groups, call that as often.
  void before_replay();
  void after_replay();
  /// Forgets all gradients, and what clip_gradients() measured of them.
  void zero_grad();

  std::vector<ParameterGroup>& groups() { return groups_; }
  /// Steps taken.
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps);

  /// Multiplies all gradients in the next step by min(1, max_norm / their global norm), on the
  /// device. Pascanu et al. 2013. Returns the norm, [] f32.
  Tensor clip_gradients(double max_norm);

  /// The moments, named "<parameter>.<moment>", to be saved and restored in place.
  virtual std::vector<NamedTensor> state() = 0;

 protected:
  /// A set of parameters that go through one kernel call: equal decay.
  struct Batch {
    size_t group = 0;
    double weight_decay = 0;
    std::vector<NamedTensor> parameters;
    Tensor scalars;              // kernels/adam.h, OptimizerScalar
    std::vector<float> written;  // what they hold; NaN before the first step
    uint64_t version = 0;        // of the scalars' storage, before a replay
  };
  /// At least one of the parameters has a gradient.
  virtual void step_batch(Batch& batch) = 0;
  /// The 16-bit copy to be written with the parameter, or absent. Ask before it is written.
  static View copy_beside(const NamedTensor& parameter);
  std::vector<Batch>& batches() { return batches_; }

 private:
  void write_scalar(Batch& batch, int which, float value);
  void write_scalars(Batch& batch);
  void note_copies();

  std::vector<ParameterGroup> groups_;
  std::vector<Batch> batches_;
  int64_t steps_ = 0;
  Tensor gradient_scale_;  // of the next step, or undefined
};

}  // namespace burin::nn
