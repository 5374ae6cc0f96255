#include "burin/models/squeezenet.h"

#include "burin/nn/init.h"
#include "burin/nn/tap.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/random.h"

namespace burin::models {
namespace {

struct FirePlan {
  int position;  // in torchvision's `features`
  int64_t in, squeezed, expanded;
};
constexpr FirePlan plans[] = {{3, 64, 16, 64},    {4, 128, 16, 64},  {6, 128, 32, 128},
                              {7, 256, 32, 128},  {9, 256, 48, 192}, {10, 384, 48, 192},
                              {11, 384, 64, 256}, {12, 512, 64, 256}};

Tensor pool(const Tensor& x) {
  return max_pool2d(
      x, {.kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .ceil_mode = true});
}

/// torchvision: kaiming_uniform by fan_in with a = 0, biases 0.
void initialise(nn::Conv2d& conv, Generator& generator) {
  nn::kaiming_uniform_(conv.weight, 0, generator);
  fill_(conv.bias, 0);
}

}  // namespace

Fire::Fire(int64_t in, int64_t squeezed, int64_t expanded, Generator& generator)
    : squeeze({.in_channels = in, .out_channels = squeezed}, generator),
      expand1x1({.in_channels = squeezed, .out_channels = expanded}, generator),
      expand3x3({.in_channels = squeezed, .out_channels = expanded, .kernel = 3, .pad = 1},
                generator) {
  for (nn::Conv2d* part : {&squeeze, &expand1x1, &expand3x3}) initialise(*part, generator);
}

Tensor Fire::forward(const Tensor& x) {
  const Tensor y = conv_relu(squeeze, x);
  return concat({conv_relu(expand1x1, y), conv_relu(expand3x3, y)}, 1);
}

void Fire::visit(nn::Visitor& v) {
  v.child("squeeze", squeeze);
  v.child("expand1x1", expand1x1);
  v.child("expand3x3", expand3x3);
}

SqueezeNet::SqueezeNet(int64_t class_count, Generator& generator)
    : conv({.in_channels = 3, .out_channels = 64, .kernel = 3, .stride = 2}, generator),
      dropout(0.5, generator) {
  initialise(conv, generator);
  for (size_t i = 0; i < fires.size(); ++i) {
    fires[i] = std::make_unique<Fire>(plans[i].in, plans[i].squeezed, plans[i].expanded, generator);
  }
  replace_head(class_count, generator);
}

Tensor SqueezeNet::extract(const Tensor& x) {
  const Tensor map = extract_map(x);
  return head_spec() == "linear" ? map : global_avg_pool2d(map);
}

Tensor SqueezeNet::extract_map(const Tensor& x) {
  Tensor y = pool(conv_relu(conv, x));
  for (size_t i = 0; i < fires.size(); ++i) {
    y = fires[i]->forward(y);
    // Pools stand at features.5 and features.8: behind a fire whose successor skips a position.
    const bool pooled = i + 1 < fires.size() && plans[i + 1].position - plans[i].position == 2;
    if (pooled) y = pool(y);
  }
  return nn::tap("features", y);
}

Tensor SqueezeNet::own_head(const Tensor& features) {
  const Tensor y = conv_relu(*classifier, dropout.forward(features));
  return global_avg_pool2d(y);
}

void SqueezeNet::replace_head(int64_t new_classes, Generator& generator) {
  classifier = std::make_unique<nn::Conv2d>(
      nn::Conv2dOptions{.in_channels = 512, .out_channels = new_classes}, generator);
  normal_(classifier->weight, 0, 0.01, generator);
  fill_(classifier->bias, 0);
  classes = new_classes;
}

void SqueezeNet::visit(nn::Visitor& v) {
  v.child("features.0", conv);
  for (size_t i = 0; i < fires.size(); ++i) {
    v.child("features." + std::to_string(plans[i].position), *fires[i]);
  }
  if (head_spec() == "linear") v.child("classifier.0", dropout);
  visit_head(v, head_spec() == "linear" ? "classifier.1" : "classifier", *classifier);
}

}  // namespace burin::models
