#include "burin/apps/classifier.h"

#include <algorithm>
#include <chrono>
#include <new>
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

}  // namespace

std::vector<size_t> Prediction::ranking() const {
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  return order;
}

Classifier::Classifier(LoadedModel loaded, TestTimeAugmentation tta)
    : loaded_(std::move(loaded)),
      tta_(std::move(tta)),
      transform_(evaluation_transform(loaded_.model().preprocess)),
      input_(loaded_.model().preprocess, loaded_.dtype, loaded_.device, Layout::nhwc) {
  models::fold_batch_norm(loaded_.model());
}

std::vector<Prediction> Classifier::classify(const std::vector<InputImage>& images) const {
  const auto N = static_cast<int64_t>(images.size());
  std::vector<Prediction> predictions(images.size());
  std::vector<uint8_t> pixels = room_for(images.size());
  const auto part = [&](size_t i) {
    return std::span(pixels).subspan(i * input_bytes(), input_bytes());
  };
  parallel_for(N, 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      predictions[i] = prepare(images[i], part(i));
    }
  });

  // What could not be decoded leaves the batch.
  std::vector<Prediction*> decoded;
  for (size_t i = 0; i < predictions.size(); ++i) {
    if (!predictions[i].error.empty()) continue;
    if (decoded.size() < i) std::ranges::copy(part(i), part(decoded.size()).begin());
    decoded.push_back(&predictions[i]);
  }
  pixels.resize(decoded.size() * input_bytes());
  if (!decoded.empty()) run(std::move(pixels), decoded);
  return predictions;
}

size_t Classifier::plain_bytes() const {
  return static_cast<size_t>(transform_.width * transform_.height * 3);
}

size_t Classifier::input_bytes() const {
  return inputs_per_image() * plain_bytes();
}

std::vector<uint8_t> Classifier::room_for(size_t images) const {
  try {
    return std::vector<uint8_t>(images * input_bytes());
  } catch (const std::bad_alloc&) {
    throw OutOfMemory(str(path(), ": not enough memory for ", images * inputs_per_image(),
                          " images of ", transform_.width, "x", transform_.height, " pixels"));
  }
}

Prediction Classifier::prepare(const InputImage& input, std::span<uint8_t> pixels) const {
  Prediction prediction;
  prediction.name = input.name;
  Lap lap;
  try {
    const data::Image image =
        input.bytes ? data::decode(*input.bytes, input.name) : data::load_image(input.name);
    prediction.width = image.width;
    prediction.height = image.height;
    prediction.decode_ms = lap();
    data::SampleRandom unused(0, 0, 0);
    auto room = pixels.begin();
    const data::Image plain = transform_.apply(image, unused);
    room = std::copy(plain.pixels.begin(), plain.pixels.end(), room);
    for (int64_t v = 0; v < tta_.views; ++v) {
      data::SampleRandom random(tta_.seed, v, 0);
      const data::Image view = tta_.view.apply(image, random);
      room = std::copy(view.pixels.begin(), view.pixels.end(), room);
    }
    prediction.preprocess_ms = lap();
  } catch (const data::DecodeError& error) {
    prediction.error = error.what();
    prediction.defect = error.defect();
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    prediction.error = error.what();
  }
  return prediction;
}

data::Batch Classifier::batch_of(std::vector<uint8_t> pixels, size_t count) const {
  data::Batch batch;
  batch.height = transform_.height;
  batch.width = transform_.width;
  batch.pixels = std::move(pixels);
  batch.labels.resize(count);
  return batch;
}

void Classifier::run(std::vector<uint8_t> pixels,
                     const std::vector<Prediction*>& predictions) const {
  const data::Batch batch = batch_of(std::move(pixels), predictions.size() * inputs_per_image());
  const NoGradGuard no_grad;
  Lap lap;
  const Tensor x = input_.images(batch);
  const Tensor logits = tta_.mirror ? forward_with_mirror(loaded_.model(), x)
                                    : cast(loaded_.model().forward(x), DType::f32);
  const std::vector<float> all = softmax(logits).to_vector<float>();
  const double each_ms = lap() / static_cast<double>(predictions.size());
  const size_t C = classes().size();
  for (size_t i = 0; i < predictions.size(); ++i) {
    const auto row = [&](size_t input) {
      return std::span(all).subspan((i * inputs_per_image() + input) * C, C);
    };
    std::vector<std::span<const float>> views;
    for (size_t v = 1; v < inputs_per_image(); ++v) views.push_back(row(v));
    const std::span<const float> plain = row(0);
    predictions[i]->probabilities = views.empty() ? std::vector<float>(plain.begin(), plain.end())
                                                  : blend_views(views, plain, tta_.plain_share);
    predictions[i]->forward_ms = each_ms;
  }
}

models::GradCam Classifier::explain(std::vector<uint8_t> pixels,
                                    const models::GradCamOptions& options) const {
  pixels.resize(plain_bytes());
  const data::Batch batch = batch_of(std::move(pixels), 1);
  return grad_cam(loaded_.model(), input_.images(batch), options).front();
}

data::Image Classifier::image_of(const std::vector<uint8_t>& pixels) const {
  data::Image image(transform_.width, transform_.height);
  std::copy_n(pixels.begin(), plain_bytes(), image.pixels.begin());
  return image;
}

}  // namespace burin::apps
