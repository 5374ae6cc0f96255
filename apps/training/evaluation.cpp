#include "burin/apps/training/evaluation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "burin/apps/training/input.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/softmax.h"

namespace burin::apps {
namespace {

void add_batch(Evaluation& result, const TrainBatch& batch, const std::vector<float>& probabilities,
               const std::vector<float>& losses) {
  const int64_t C = result.confusion.classes();
  const std::vector<int64_t> labels = batch.labels.to_vector<int64_t>();
  for (int64_t i = 0; i < batch.size(); ++i) {
    const float* const row = probabilities.data() + i * C;
    const int64_t predicted = std::max_element(row, row + C) - row;
    result.confusion.add(labels[static_cast<size_t>(i)], predicted);
    result.predictions.push_back(predicted);
    result.sample_loss.push_back(static_cast<double>(losses[static_cast<size_t>(i)]));
  }
  result.probabilities.insert(result.probabilities.end(), probabilities.begin(),
                              probabilities.end());
}

/// The same samples, judged by other probabilities.
Evaluation with_probabilities(const Evaluation& plain, std::vector<float> probabilities,
                              const data::Dataset& dataset) {
  const int64_t C = plain.confusion.classes();
  Evaluation result{.confusion = ConfusionMatrix(C), .probabilities = std::move(probabilities)};
  const auto N = static_cast<int64_t>(plain.predictions.size());
  for (int64_t i = 0; i < N; ++i) {
    const float* const row = result.probabilities.data() + i * C;
    const int64_t predicted = std::max_element(row, row + C) - row;
    const int64_t label = dataset.label(i);
    result.confusion.add(label, predicted);
    result.predictions.push_back(predicted);
    // A probability that has run out of digits is not infinitely wrong.
    const float likelihood = std::max(row[label], std::numeric_limits<float>::min());
    result.sample_loss.push_back(-std::log(static_cast<double>(likelihood)));
    result.loss += result.sample_loss.back() / static_cast<double>(N);
  }
  return result;
}

}  // namespace

Evaluation evaluate(const std::function<Tensor(const Tensor&)>& forward, BatchSource& source,
                    int64_t classes, const EvaluationProgress& on_progress, int64_t epoch) {
  const NoGradGuard no_grad;
  Evaluation result{.confusion = ConfusionMatrix(classes)};
  const auto start = std::chrono::steady_clock::now();
  source.start(epoch, 0);
  while (const auto batch = source.next()) {
    const Tensor logits = cast(forward(batch->x), DType::f32);
    const Tensor losses = cross_entropy_per_sample(logits, batch->labels);
    add_batch(result, *batch, softmax(logits).to_vector<float>(), losses.to_vector<float>());
    const auto done = static_cast<int64_t>(result.predictions.size());
    if (on_progress && !on_progress(done)) throw Interrupted("interrupted");
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  const auto count = static_cast<double>(result.predictions.size());
  result.images_per_second = count / elapsed.count();
  for (const double loss : result.sample_loss) result.loss += loss / count;
  return result;
}

Evaluation evaluate(models::Model& model, std::shared_ptr<const data::Dataset> dataset,
                    const EvaluationSettings& settings) {
  check(static_cast<int64_t>(dataset->classes().size()) == model.classes,
        "evaluate: the data set has ", dataset->classes().size(), " classes, the model ",
        model.classes);
  const nn::EvaluationGuard evaluating(model);
  const TestTimeAugmentation& tta = settings.tta;
  int64_t passes = 0;
  const auto pass = [&](const data::Transform& transform, int64_t epoch) {
    ImageSource source(
        dataset, transform,
        {.batch_size = settings.batch_size, .workers = settings.workers, .seed = tta.seed},
        InputMaker(model.preprocess, settings.dtype, settings.device, Layout::nhwc));
    const int64_t before = passes++ * dataset->size();
    return evaluate(
        [&](const Tensor& x) {
          return tta.mirror ? forward_with_mirror(model, x) : model.forward(x);
        },
        source, model.classes,
        [&](int64_t done) { return !settings.on_progress || settings.on_progress(before + done); },
        epoch);
  };
  Evaluation plain = pass(evaluation_transform(model.preprocess), 0);
  if (tta.views == 0) return plain;

  double seconds_per_image = 1 / plain.images_per_second;
  std::vector<Evaluation> views;
  std::vector<std::span<const float>> probabilities;
  for (int64_t v = 0; v < tta.views; ++v) {
    views.push_back(pass(tta.view, v));
    seconds_per_image += 1 / views.back().images_per_second;
  }
  for (const Evaluation& view : views) probabilities.emplace_back(view.probabilities);
  Evaluation blended = with_probabilities(
      plain, blend_views(probabilities, plain.probabilities, tta.plain_share), *dataset);
  blended.images_per_second = 1 / seconds_per_image;
  return blended;
}

}  // namespace burin::apps
