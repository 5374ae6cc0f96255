// ResNets at their published size beside LibTorch: logits, loss, gradients, running statistics.
#include <map>

#include "burin/models/catalog.h"
#include "burin/nn/state_dict.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "libtorch/both.h"

namespace burin {
namespace {

using testing_support::ours_of;

/// torchvision's residual networks (models/resnet.py) as a function of a state dict.
class TorchResNet {
 public:
  TorchResNet(bool bottleneck, std::vector<int> depths)
      : bottleneck_(bottleneck), depths_(std::move(depths)) {}

  torch::Tensor forward(torch::Tensor x, bool training) {
    training_ = training;
    x = norm(conv(x, "conv1", 2, 3), "bn1").relu();
    x = torch::max_pool2d(x, 3, 2, 1);
    for (size_t stage = 0; stage < depths_.size(); ++stage) {
      for (int i = 0; i < depths_[stage]; ++i) {
        x = block(x, "layer" + std::to_string(stage + 1) + "." + std::to_string(i) + ".",
                  stage > 0 && i == 0 ? 2 : 1);
      }
    }
    return torch::linear(torch::adaptive_avg_pool2d(x, {1, 1}).flatten(1), state.at("fc.weight"),
                         state.at("fc.bias"));
  }

  std::map<std::string, torch::Tensor> state;

 private:
  torch::Tensor conv(const torch::Tensor& x, const std::string& name, int64_t stride, int64_t pad) {
    return torch::conv2d(x, state.at(name + ".weight"), {}, stride, pad);
  }
  torch::Tensor norm(const torch::Tensor& x, const std::string& name) {
    return torch::batch_norm(x, state.at(name + ".weight"), state.at(name + ".bias"),
                             state.at(name + ".running_mean"), state.at(name + ".running_var"),
                             training_, 0.1, 1e-5, false);
  }
  torch::Tensor block(const torch::Tensor& x, const std::string& at, int64_t stride) {
    torch::Tensor y, identity = x;
    if (bottleneck_) {
      y = norm(conv(x, at + "conv1", 1, 0), at + "bn1").relu();
      y = norm(conv(y, at + "conv2", stride, 1), at + "bn2").relu();
      y = norm(conv(y, at + "conv3", 1, 0), at + "bn3");
    } else {
      y = norm(conv(x, at + "conv1", stride, 1), at + "bn1").relu();
      y = norm(conv(y, at + "conv2", 1, 1), at + "bn2");
    }
    if (state.count(at + "downsample.0.weight") > 0) {
      identity = norm(conv(x, at + "downsample.0", stride, 0), at + "downsample.1");
    }
    return (y + identity).relu();
  }

  bool bottleneck_;
  std::vector<int> depths_;
  bool training_ = false;
};

/// Running statistics; parameters are all else.
bool is_buffer(const std::string& name) {
  return name.ends_with("running_mean") || name.ends_with("running_var");
}

struct FullSize {
  const char* name;
  bool bottleneck;
  std::vector<int> depths;
};

class SlowResNets : public testing::TestWithParam<FullSize> {};

/// What a training step and an evaluation come to, by name.
using Results = std::map<std::string, torch::Tensor>;

Results results_of_libtorch(TorchResNet net, const torch::Tensor& images,
                            const torch::Tensor& target, torch::ScalarType type) {
  for (auto& [name, tensor] : net.state) tensor = tensor.to(type).clone();
  const torch::Tensor x = images.to(type);
  Results results;
  {
    const torch::NoGradGuard none;
    results["logits"] = net.forward(x, false);
  }
  for (auto& [name, tensor] : net.state) tensor.set_requires_grad(!is_buffer(name));
  const torch::Tensor loss = torch::nn::functional::cross_entropy(net.forward(x, true), target);
  loss.backward();
  results["loss"] = loss;
  for (const auto& [name, tensor] : net.state) {
    results[name] = is_buffer(name) ? tensor : tensor.grad();
  }
  return results;
}

/// ‖a − b‖ / ‖b‖
double distance(const torch::Tensor& a, const torch::Tensor& b) {
  const torch::Tensor right = b.detach().to(torch::kFloat64);
  return (a.detach().to(torch::kFloat64) - right).norm().item<double>() /
         std::max(right.norm().item<double>(), 1e-12);
}

torch::Tensor theirs_of(const Tensor& ours) {
  std::vector<int64_t> shape;
  for (int i = 0; i < ours.rank(); ++i) shape.push_back(ours.dim(i));
  return torch::tensor(ours.to_vector<float>()).reshape(shape);
}

// A ReLU whose input is within rounding of 0 may be open on one side and shut on the other. Near
// the end, where an image has few elements, one such gate moves all gradients before it by up to a
// percent. All else is asked to be as near the truth, LibTorch's f64, as its f32.
constexpr double one_gate = 2e-2;

TEST_P(SlowResNets, AtFullSizeAreAsNearTheTruthAsLibTorch) {
  torch::manual_seed(1);
  Generator generator(1);
  const auto net = models::make_model(GetParam().name, 10, generator);
  nn::to(*net, Device::cpu(), Layout::nhwc);
  TorchResNet reference(GetParam().bottleneck, GetParam().depths);
  for (const auto& list : {nn::parameters(*net), nn::buffers(*net)}) {
    for (const nn::NamedTensor& t : list) {
      if (!t.name.ends_with("num_batches_tracked")) reference.state[t.name] = theirs_of(t.tensor);
    }
  }
  const torch::Tensor x = torch::randn({4, 3, 224, 224});
  const torch::Tensor target = torch::randint(10, {4}, torch::kInt64);
  const Results truth = results_of_libtorch(reference, x, target, torch::kFloat64);
  const Results theirs = results_of_libtorch(reference, x, target, torch::kFloat32);

  Results ours;
  nn::set_training(*net, false);
  {
    const NoGradGuard no_grad;
    ours["logits"] = theirs_of(net->forward(ours_of(x, Layout::nhwc)));
  }
  nn::set_training(*net, true);
  const Tensor loss = cross_entropy(net->forward(ours_of(x, Layout::nhwc)), ours_of(target));
  backward(loss);
  ours["loss"] = theirs_of(loss);
  for (const nn::NamedTensor& p : nn::parameters(*net)) ours[p.name] = theirs_of(p.tensor.grad());
  for (const nn::NamedTensor& b : nn::buffers(*net)) {
    if (is_buffer(b.name)) ours[b.name] = theirs_of(b.tensor);
  }
  ASSERT_EQ(ours.size(), truth.size());
  for (const auto& [name, right] : truth) {
    const double their_error = distance(theirs.at(name), right);
    const bool gradient = name != "logits" && name != "loss" && !is_buffer(name);
    EXPECT_LE(distance(ours.at(name), right), 4 * their_error + (gradient ? one_gate : 1e-6))
        << name << ", LibTorch's error is " << their_error;
  }
}

INSTANTIATE_TEST_SUITE_P(Depths, SlowResNets,
                         testing::Values(FullSize{"resnet18", false, {2, 2, 2, 2}},
                                         FullSize{"resnet34", false, {3, 4, 6, 3}},
                                         FullSize{"resnet50", true, {3, 4, 6, 3}}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace burin
