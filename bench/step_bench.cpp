// Networks at 224×224, step by step, on command: the burin side of scripts/bench_cpu.sh and
// scripts/gpu_check.sh.
//
//   step_bench FOLDER [DEVICE]   writes a model's weights there at first use, for the other side
//   stdin:   MODEL train|infer f32|bf16 BATCH STEPS [graph] [IMPL]
//   stdout:  seconds per step, peak MiB (resident; on another device than the CPU what its
//            allocator held for the command's first call), and a check value: the loss before the
//            first step ever, or the sum of |logits|
//
// With `graph`, steps are recorded once and replayed (tensor/step_graph.h); IMPL chooses kernels as
// --impl does. On the CPU every step reads its loss back; elsewhere the host waits once, behind the
// last step.
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "burin/kernels/dispatch.h"
#include "burin/models/catalog.h"
#include "burin/models/fold.h"
#include "burin/nn/adam.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/step_graph.h"

namespace burin {
namespace {

constexpr int64_t classes = 1000, size = 224;
constexpr int eager_steps = 3;  // before a recording: plans, moments, buffers

struct Command {
  std::string model, what;
  DType dtype;
  int64_t batch;
  int steps;
  bool graph;
  std::string impl;  // as of --impl

  std::string key() const {
    return str(model, ' ', what, ' ', dtype, ' ', batch, ' ', graph, ' ', impl);
  }
};

/// The same numbers on both sides: a linear congruential sequence over the logical index.
Tensor input(const Command& command, Device device) {
  const Shape shape = {command.batch, 3, size, size};
  std::vector<float> values(static_cast<size_t>(numel(shape)));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto word = static_cast<uint32_t>(i) * 1103515245u + 12345u;
    values[i] = static_cast<float>(word >> 8) * 0x1p-23f - 1.0f;
  }
  const Tensor host = Tensor::from(values, shape, {.dtype = command.dtype, .layout = Layout::nhwc});
  Tensor x = empty(shape, {command.dtype, device, Layout::nhwc});
  copy_into(x, host);
  return x;
}

Tensor labels(int64_t batch, Device device) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < batch; ++i) values.push_back(i * 37 % classes);
  return Tensor::from(values, {batch}, {.dtype = DType::i64, .device = device});
}

/// What one command repeats, kept between commands so that each begins warm.
class Repeated {
 public:
  virtual ~Repeated() = default;
  virtual void step() = 0;
  virtual double check_value() = 0;
};

class Training final : public Repeated {
 public:
  Training(std::unique_ptr<models::Model> net, const Command& command, Device device)
      : device_(device),
        net_(std::move(net)),
        x_(input(command, device)),
        y_(labels(command.batch, device)) {
    nn::ParameterGroup group;
    group.parameters = nn::parameters(*net_);
    adam_ = std::make_unique<nn::Adam>(std::vector{group});
    eager();
    first_loss_ = loss_.item();
    if (!command.graph) return;
    for (int i = 1; i < eager_steps; ++i) eager();
    graph_.emplace(device, [this] { eager(); });
  }
  void step() override {
    if (graph_) {
      adam_->before_replay();
      graph_->replay();
      adam_->after_replay();
    } else {
      eager();
      if (device_ == Device::cpu()) loss_.item();
    }
  }
  double check_value() override { return first_loss_; }

 private:
  void eager() {
    adam_->zero_grad();
    loss_ = cross_entropy(cast(net_->forward(x_), DType::f32), y_);
    backward(loss_);
    adam_->step();
  }

  Device device_;
  std::unique_ptr<models::Model> net_;
  std::unique_ptr<nn::Adam> adam_;
  Tensor x_, y_, loss_;
  double first_loss_ = 0;
  std::optional<StepGraph> graph_;
};

class Inference final : public Repeated {
 public:
  Inference(std::unique_ptr<models::Model> net, const Command& command, Device device)
      : net_(std::move(net)), x_(input(command, device)) {
    models::fold_batch_norm(*net_);
    if (command.dtype != DType::f32) models::store_weights_in(*net_, command.dtype);
    if (!command.graph) return;
    for (int i = 0; i < eager_steps; ++i) step();
    graph_.emplace(device, [this] { eager(); });
  }
  void step() override {
    if (graph_) {
      graph_->replay();
    } else {
      eager();
    }
  }
  double check_value() override {
    double sum = 0;
    for (const float v : logits_.to_vector<float>()) sum += std::abs(static_cast<double>(v));
    return sum;
  }

 private:
  void eager() {
    const NoGradGuard no_grad;
    logits_ = net_->forward(x_);
  }

  std::unique_ptr<models::Model> net_;
  Tensor x_, logits_;
  std::optional<StepGraph> graph_;
};

/// Of the process on the CPU; of one command on a GPU, where many are kept beside each other.
class PeakMemory {
 public:
  explicit PeakMemory(Device device) : device_(device) {
    if (device == Device::cpu()) return;
    allocator_of(device)->release_cached();
    allocator_of(device)->reset_peak();
    before_ = allocator_of(device)->stats().held_bytes;
  }
  double mib() const {
    if (device_ != Device::cpu()) {
      return static_cast<double>(allocator_of(device_)->stats().peak_held_bytes - before_) /
             (1 << 20);
    }
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
  }

 private:
  Device device_;
  size_t before_ = 0;
};

/// With the weights that both sides begin with.
std::unique_ptr<models::Model> make_net(const std::string& name) {
  Generator generator(1);
  return models::make_model(name, classes, generator);
}

void write_weights(models::Model& net, const std::string& folder) {
  nn::save_state(folder + "/" + net.architecture + ".pth", nn::state(net));
}

std::optional<Command> read_command() {
  std::string line, dtype;
  if (!std::getline(std::cin, line)) return std::nullopt;
  Command command{};
  std::istringstream words(line);
  words >> command.model >> command.what >> dtype >> command.batch >> command.steps;
  check(!words.fail(), "expected MODEL train|infer f32|bf16 BATCH STEPS [graph] [IMPL], got '",
        line, "'");
  for (std::string word; words >> word;) {
    if (word == "graph") {
      command.graph = true;
    } else {
      command.impl = word;
    }
  }
  command.dtype = dtype == "bf16" ? DType::bf16 : DType::f32;
  return command;
}

class Bench {
 public:
  Bench(std::string folder, Device device) : folder_(std::move(folder)), device_(device) {}

  void run(const Command& command) {
    const ImplGuard rules(command.impl);
    Kept& kept = kept_for(command);
    Repeated& repeated = *kept.repeated;
    synchronize(device_);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < command.steps; ++i) repeated.step();
    synchronize(device_);
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (kept.peak_mib == 0 || device_ == Device::cpu()) kept.peak_mib = kept.memory.mib();
    std::cout << std::setprecision(9) << passed.count() / command.steps << ' ' << kept.peak_mib
              << ' ' << repeated.check_value() << std::endl;
  }

 private:
  struct Kept {
    explicit Kept(Device device) : memory(device) {}
    PeakMemory memory;
    double peak_mib = 0;  // of its first call, which makes it
    std::unique_ptr<Repeated> repeated;
  };

  Kept& kept_for(const Command& command) {
    const auto found = kept_.find(command.key());
    if (found != kept_.end()) return found->second;
    Kept made(device_);
    std::unique_ptr<models::Model> net = make_net(command.model);
    if (written_.insert(command.model).second) write_weights(*net, folder_);
    nn::to(*net, device_, Layout::nhwc);
    if (command.what == "train") {
      made.repeated = std::make_unique<Training>(std::move(net), command, device_);
    } else {
      made.repeated = std::make_unique<Inference>(std::move(net), command, device_);
    }
    return kept_.emplace(command.key(), std::move(made)).first->second;
  }

  std::string folder_;
  Device device_;
  std::set<std::string> written_;  // models whose weights are in the folder
  std::map<std::string, Kept> kept_;
};

void run(const std::string& folder, Device device) {
  Bench bench(folder, device);
  std::cout << "ready" << std::endl;
  while (const std::optional<Command> command = read_command()) bench.run(*command);
}

}  // namespace
}  // namespace burin

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::cerr << "usage: step_bench FOLDER [DEVICE]\n";
    return 2;
  }
  try {
    burin::run(argv[1], argc == 3 ? burin::Device::parse(argv[2]) : burin::Device::cpu());
  } catch (const std::exception& error) {
    std::cerr << "step_bench: error: " << error.what() << '\n';
    return 1;
  }
}
