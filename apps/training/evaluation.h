#pragma once

#include <functional>
#include <memory>

#include "burin/apps/training/batch_source.h"
#include "burin/apps/training/metrics.h"
#include "burin/apps/training/test_time.h"
#include "burin/data/dataset.h"
#include "burin/models/model.h"

namespace burin::apps {

/// Called after each batch with the samples done, each view of one counting; returns false to stop
/// (Interrupted is thrown).
using EvaluationProgress = std::function<bool(int64_t done)>;

struct EvaluationSettings {
  int64_t batch_size = 32;
  int workers = 2;
  DType dtype = DType::f32;  // of the activations
  TestTimeAugmentation tta = {};
  Device device = Device::cpu();
  EvaluationProgress on_progress = {};
};

/// What a model makes of a labelled data set.
struct Evaluation {
  ConfusionMatrix confusion;
  double loss = 0;                        // mean cross-entropy
  std::vector<int64_t> predictions = {};  // [samples]
  std::vector<double> sample_loss = {};   // [samples]
  std::vector<float> probabilities = {};  // [samples, classes]
  double images_per_second = 0;

  double probability(int64_t sample, int64_t label) const {
    return static_cast<double>(
        probabilities[static_cast<size_t>(sample * confusion.classes() + label)]);
  }
};

/// Collects what `forward` makes of an epoch of `source`; nothing is recorded.
Evaluation evaluate(const std::function<Tensor(const Tensor&)>& forward, BatchSource& source,
                    int64_t classes, const EvaluationProgress& on_progress = {}, int64_t epoch = 0);

/// Runs the model over the data set in evaluation mode, without recording. The model's training
/// flag is as before afterwards.
Evaluation evaluate(models::Model& model, std::shared_ptr<const data::Dataset> dataset,
                    const EvaluationSettings& settings);

}  // namespace burin::apps
