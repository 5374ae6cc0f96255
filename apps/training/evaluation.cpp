#include "burin/apps/training/evaluation.h"

#include <algorithm>
#include <chrono>

#include "burin/apps/training/input.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/shape.h"
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

}  // namespace

Evaluation evaluate(const std::function<Tensor(const Tensor&)>& forward, BatchSource& source,
                    int64_t classes, const EvaluationProgress& on_progress) {
  const NoGradGuard no_grad;
  Evaluation result{.confusion = ConfusionMatrix(classes)};
  const auto start = std::chrono::steady_clock::now();
  source.start(0, 0);
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

Tensor forward_with_mirror(models::Model& model, const Tensor& x) {
  const NoGradGuard no_grad;
  const Tensor plain = softmax(cast(model.forward(x), DType::f32));
  const Tensor mirrored = softmax(cast(model.forward(flip(x, 3)), DType::f32));
  return log(affine(plain + mirrored, 0.5, 0));
}

Evaluation evaluate(models::Model& model, std::shared_ptr<const data::Dataset> dataset,
                    const EvaluationSettings& settings) {
  check(static_cast<int64_t>(dataset->classes().size()) == model.classes,
        "evaluate: the data set has ", dataset->classes().size(), " classes, the model ",
        model.classes);
  const nn::EvaluationGuard evaluating(model);
  ImageSource source(std::move(dataset), evaluation_transform(model.preprocess),
                     {.batch_size = settings.batch_size, .workers = settings.workers},
                     InputMaker(model.preprocess, settings.dtype, settings.device, Layout::nhwc));
  return evaluate(
      [&](const Tensor& x) {
        return settings.tta ? forward_with_mirror(model, x) : model.forward(x);
      },
      source, model.classes, settings.on_progress);
}

}  // namespace burin::apps
