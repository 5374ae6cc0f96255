// The whole library: a network's weights into a file and out of it again, and a prediction.
#include <burin/models/catalog.h>
#include <burin/models/load_weights.h>
#include <burin/tensor/context.h>

#include <iostream>

using namespace burin;

namespace {

std::vector<float> logits(models::Model& model) {
  const NoGradGuard no_grad;
  const nn::EvaluationGuard evaluation(model);
  return model.forward(full({1, 3, 32, 32}, 0.5)).to_vector<float>();
}

}  // namespace

int main() {
  Generator first_seed(1);
  Generator second_seed(2);
  const auto written = models::make_model("resnet20", 10, first_seed);
  const auto read = models::make_model("resnet20", 10, second_seed);

  nn::save_state("model.safetensors", nn::state(*written));
  const models::WeightsReport report = models::load_weights(*read, "model.safetensors");

  std::cout << report.entries.loaded << " tensors read\n";
  return report.entries.complete() && logits(*read) == logits(*written) ? 0 : 1;
}
