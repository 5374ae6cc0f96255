// Networks at 224×224, step by step, on command: the burin side of scripts/bench_cpu.sh.
//
//   step_bench FOLDER        writes a model's weights there at first use, for the other side to
//   load stdin:   MODEL train|infer f32|bf16 BATCH STEPS stdout:  seconds per step, peak resident
//   MiB, and a check value: the loss before the first timed step, or the
//            sum of |logits|
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <map>
#include <string>

#include "burin/models/catalog.h"
#include "burin/models/fold.h"
#include "burin/nn/adam.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/files/torch_file.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"

namespace burin {
namespace {

constexpr int64_t classes = 1000, size = 224;

/// The same numbers on both sides: a linear congruential sequence over the logical index.
Tensor input(int64_t batch, DType dtype) {
  std::vector<float> values(static_cast<size_t>(batch * 3 * size * size));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto word = static_cast<uint32_t>(i) * 1103515245u + 12345u;
    values[i] = static_cast<float>(word >> 8) * 0x1p-23f - 1.0f;
  }
  return Tensor::from(values, {batch, 3, size, size}, {.dtype = dtype, .layout = Layout::nhwc});
}

Tensor labels(int64_t batch) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < batch; ++i) values.push_back(i * 37 % classes);
  return Tensor::from(values, {batch}, {.dtype = DType::i64});
}

struct Result {
  double seconds_per_step;
  double check_value;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::unique_ptr<models::Model> copy_of(models::Model& from, Generator& generator) {
  auto made = models::make_model(from.architecture, classes, generator);
  nn::copy_state(*made, from);
  return made;
}

/// A network and its optimiser, kept between commands so that each begins warm.
struct Trainer {
  explicit Trainer(models::Model& from) : net(copy_of(from, generator)) {
    nn::ParameterGroup group;
    group.parameters = nn::parameters(*net);
    adam = std::make_unique<nn::Adam>(std::vector{group});
  }
  double step(const Tensor& x, const Tensor& y) {
    adam->zero_grad();
    const Tensor loss = cross_entropy(cast(net->forward(x), DType::f32), y);
    backward(loss);
    adam->step();
    return loss.item();
  }
  Generator generator{0};
  std::unique_ptr<models::Model> net;
  std::unique_ptr<nn::Adam> adam;
};

Result train(models::Model& from, DType dtype, int64_t batch, int steps) {
  static std::map<std::string, std::unique_ptr<Trainer>> trainers;
  std::unique_ptr<Trainer>& trainer = trainers[str(from.architecture, ' ', dtype, ' ', batch)];
  if (!trainer) trainer = std::make_unique<Trainer>(from);
  const Tensor x = input(batch, dtype);
  const Tensor y = labels(batch);
  const auto start = std::chrono::steady_clock::now();
  const double first = trainer->step(x, y);
  for (int i = 1; i < steps; ++i) trainer->step(x, y);
  return {seconds_since(start) / steps, first};
}

Result infer(models::Model& from, DType dtype, int64_t batch, int steps) {
  static Generator generator(0);
  static std::map<std::string, std::unique_ptr<models::Model>> nets;
  std::unique_ptr<models::Model>& net = nets[from.architecture];
  if (!net) {
    net = copy_of(from, generator);
    models::fold_batch_norm(*net);
  }
  const NoGradGuard no_grad;
  const Tensor x = input(batch, dtype);
  Tensor logits;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i) logits = net->forward(x);
  const double seconds = seconds_since(start) / steps;
  double sum = 0;
  for (const float v : logits.to_vector<float>()) sum += std::abs(static_cast<double>(v));
  return {seconds, sum};
}

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// The weights that both sides begin with.
std::unique_ptr<models::Model> make_and_write(const std::string& name, const std::string& folder) {
  Generator generator(1);
  auto net = models::make_model(name, classes, generator);
  std::vector<NamedView> views;
  const std::vector<nn::NamedTensor> state = nn::state(*net);
  for (const nn::NamedTensor& entry : state) views.push_back({entry.name, entry.tensor.view()});
  write_torch_file(folder + "/" + name + ".pth", views);
  return net;
}

int run(const std::string& folder) {
  std::map<std::string, std::unique_ptr<models::Model>> nets;
  std::cout << "ready" << std::endl;

  std::string name, what, dtype_name;
  int64_t batch = 0;
  int steps = 0;
  while (std::cin >> name >> what >> dtype_name >> batch >> steps) {
    std::unique_ptr<models::Model>& net = nets[name];
    if (!net) net = make_and_write(name, folder);
    const DType dtype = dtype_name == "bf16" ? DType::bf16 : DType::f32;
    const Result result =
        what == "train" ? train(*net, dtype, batch, steps) : infer(*net, dtype, batch, steps);
    std::cout << std::setprecision(9) << result.seconds_per_step << ' ' << peak_mib() << ' '
              << result.check_value << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace burin

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: step_bench FOLDER\n";
    return 2;
  }
  try {
    return burin::run(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "step_bench: error: " << error.what() << '\n';
    return 1;
  }
}
