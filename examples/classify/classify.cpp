// Says what photos show: classify MODEL WEIGHTS LABELS PHOTO… See README.md.
#include <burin/data/decode.h>
#include <burin/data/file.h>
#include <burin/data/transforms.h>
#include <burin/models/catalog.h>
#include <burin/models/fold.h>
#include <burin/models/load_weights.h>
#include <burin/tensor/context.h>
#include <burin/tensor/ops/normalize_u8.h>
#include <burin/tensor/ops/shape.h>
#include <burin/tensor/ops/softmax.h>

#include <algorithm>
#include <iostream>
#include <numeric>
#include <sstream>

namespace {

using namespace burin;

/// Line i of the file names class i.
std::vector<std::string> read_labels(const std::string& path) {
  std::vector<std::string> labels;
  std::istringstream lines(data::read_text(path));
  for (std::string line; std::getline(lines, line);) labels.push_back(line);
  return labels;
}

/// The model with the weights of a file, ready to be asked. It holds on to the generator.
std::unique_ptr<models::Model> load(const std::string& name, const std::string& weights,
                                    size_t classes, Generator& generator) {
  const DrawNothing they_come_from_the_file(generator);
  auto model = models::make_model(name, static_cast<int64_t>(classes), generator);
  const models::WeightsReport report = models::load_weights(*model, weights);
  check(report.entries.complete() && !report.head_replaced, weights, ": does not fit a ", name,
        " of ", classes, " classes\n", report.entries.to_string());
  models::fold_batch_norm(*model);
  return model;
}

/// A photo as the model's input, [1, 3, H, W]: resized, cropped and normalised as its publisher
/// evaluated it.
Tensor input_of(const data::Image& photo, const models::Preprocess& how) {
  const auto filter = how.bicubic ? data::Filter::bicubic : data::Filter::bilinear;
  data::SampleRandom unused(0, 0, 0);
  const data::Image seen =
      data::evaluation_transform({how.resize, how.crop, filter}).apply(photo, unused);
  const Tensor pixels =
      Tensor::from(seen.pixels, {1, seen.height, seen.width, 3}, {.dtype = DType::u8});
  const Tensor mean = Tensor::from(std::span<const float>(how.mean), {3});
  const Tensor std = Tensor::from(std::span<const float>(how.std), {3});
  return normalize_u8(permute(pixels, {0, 3, 1, 2}), mean, std, DType::f32, Layout::nhwc);
}

void print_best(const std::vector<float>& probabilities, const std::vector<std::string>& labels) {
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  order.resize(std::min<size_t>(order.size(), 5));
  for (const size_t i : order) std::cout << "  " << probabilities[i] << "  " << labels[i] << '\n';
}

void classify(const std::vector<std::string>& arguments) {
  check(arguments.size() >= 4, "usage: classify MODEL WEIGHTS LABELS PHOTO…");
  const std::vector<std::string> labels = read_labels(arguments[2]);
  Generator generator(0);
  const auto model = load(arguments[0], arguments[1], labels.size(), generator);
  const NoGradGuard no_grad;
  for (size_t i = 3; i < arguments.size(); ++i) {
    const Tensor x = input_of(data::load_image(arguments[i]), model->preprocess);
    std::cout << arguments[i] << '\n';
    print_best(softmax(model->forward(x)).to_vector<float>(), labels);
  }
}

}  // namespace

int main(int count, char** arguments) {
  try {
    classify({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
