#include "burin/apps/classifier.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "burin/data/decode.h"
#include "burin/data/file.h"
#include "burin/kernels/base/parallel.h"
#include "burin/models/fold.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/softmax.h"

namespace burin::apps {
namespace {

/// Milliseconds since the last call.
class Lap {
 public:
  double operator()() {
    const Clock::time_point now = Clock::now();
    const double elapsed = std::chrono::duration<double, std::milli>(now - last_).count();
    last_ = now;
    return elapsed;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

/// Decodes and transforms one image into `pixels`, or sets the prediction's error.
void prepare(const InputImage& input, const data::Transform& transform, uint8_t* pixels,
             Prediction& prediction) {
  Lap lap;
  try {
    const data::Image image =
        input.bytes ? data::decode(*input.bytes, input.name) : data::load_image(input.name);
    prediction.width = image.width;
    prediction.height = image.height;
    prediction.decode_ms = lap();
    data::SampleRandom unused(0, 0, 0);
    const data::Image ready = transform.apply(image, unused);
    std::copy(ready.pixels.begin(), ready.pixels.end(), pixels);
    prediction.preprocess_ms = lap();
  } catch (const Error& error) {
    prediction.error = error.what();
  }
}

}  // namespace

std::vector<size_t> Prediction::ranking() const {
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  return order;
}

Classifier::Classifier(LoadedModel loaded)
    : loaded_(std::move(loaded)),
      transform_(evaluation_transform(loaded_.model().preprocess)),
      input_(loaded_.model().preprocess, loaded_.dtype, loaded_.device, Layout::nhwc) {
  models::fold_batch_norm(loaded_.model());
}

std::vector<Prediction> Classifier::classify(const std::vector<InputImage>& images) const {
  const auto N = static_cast<int64_t>(images.size());
  const int64_t image_bytes = transform_.width * transform_.height * 3;
  std::vector<Prediction> predictions(images.size());
  std::vector<uint8_t> pixels(static_cast<size_t>(N * image_bytes));
  parallel_for(N, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      predictions[at].name = images[at].name;
      prepare(images[at], transform_, pixels.data() + i * image_bytes, predictions[at]);
    }
  });

  // What could not be decoded leaves the batch.
  data::Batch batch;
  batch.height = transform_.height;
  batch.width = transform_.width;
  std::vector<Prediction*> decoded;
  for (int64_t i = 0; i < N; ++i) {
    Prediction& prediction = predictions[static_cast<size_t>(i)];
    if (!prediction.error.empty()) continue;
    const auto first = pixels.begin() + i * image_bytes;
    batch.pixels.insert(batch.pixels.end(), first, first + image_bytes);
    batch.labels.push_back(0);
    decoded.push_back(&prediction);
  }
  if (!decoded.empty()) run_batch(batch, decoded);
  return predictions;
}

void Classifier::run_batch(const data::Batch& batch,
                           const std::vector<Prediction*>& decoded) const {
  const NoGradGuard no_grad;
  Lap lap;
  const Tensor logits = cast(loaded_.model().forward(input_.images(batch)), DType::f32);
  const std::vector<float> all = softmax(logits).to_vector<float>();
  const double each_ms = lap() / static_cast<double>(decoded.size());
  const size_t C = classes().size();
  for (size_t i = 0; i < decoded.size(); ++i) {
    const float* const row = all.data() + i * C;
    decoded[i]->probabilities.assign(row, row + C);
    decoded[i]->forward_ms = each_ms;
  }
}

}  // namespace burin::apps
