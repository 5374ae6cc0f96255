#include "burin/models/head.h"

#include <charconv>
#include <optional>
#include <sstream>

#include "burin/nn/batch_norm.h"
#include "burin/nn/dropout.h"
#include "burin/nn/init.h"
#include "burin/nn/linear.h"
#include "burin/tensor/ops/activation.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/shape.h"

namespace burin::models {
namespace {

/// fastai's AdaptiveConcatPool2d: the largest value first, then the mean. [N, C, H, W] → [N, 2C]
Tensor concat_pool(const Tensor& x) {
  const Tensor largest =
      max_pool2d(x, {.kernel_h = x.dim(2), .kernel_w = x.dim(3), .stride_h = 1, .stride_w = 1});
  return flatten(concat({largest, adaptive_avg_pool2d(x, 1, 1)}, 1));
}

Tensor unchanged(const Tensor& x) {
  return x;
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

template <class M, class... Arguments>
M& Head::add(Arguments&&... arguments) {
  auto module = std::make_unique<M>(std::forward<Arguments>(arguments)...);
  M& added = *module;
  layers_.push_back({std::move(module), [&added](const Tensor& x) { return added.forward(x); }});
  return added;
}

void Head::add_function(Tensor (*run)(const Tensor&)) {
  layers_.push_back({nullptr, run});
}

Head::Head(const std::string& its_spec, int64_t features, int64_t classes, Generator& init,
           Generator& random)
    : spec(its_spec), takes_map_(its_spec == "fastai") {
  if (takes_map_) {
    make_fastai(features, classes, init, random);
  } else {
    make_list(features, classes, init, random);
  }
}

// fastai's create_head(nf, n_out) with lin_ftrs None, ps 0.5, concat_pool True; its apply_init
// draws every layer that is no norm by kaiming_normal.
void Head::make_fastai(int64_t features, int64_t classes, Generator& init, Generator& random) {
  constexpr int64_t hidden = 512;
  constexpr double norm_bias = 1e-3;  // fastai's BatchNorm begins there
  const auto linear = [&](int64_t in, int64_t out) {
    auto& layer = add<nn::Linear>(in, out, false, init);
    nn::kaiming_normal_(layer.weight, in, init);
  };
  const auto norm = [&](int64_t channels) {
    fill_(add<nn::BatchNorm>(channels, init.state().device()).state.bias, norm_bias);
  };
  add_function(concat_pool);
  add_function(unchanged);  // fastai's Flatten has a place in the numbering
  norm(2 * features);
  add<nn::Dropout>(0.25, random);
  linear(2 * features, hidden);
  add_function(relu);
  norm(hidden);
  add<nn::Dropout>(0.5, random);
  linear(hidden, classes);
}

void Head::make_list(int64_t features, int64_t classes, Generator& init, Generator& random) {
  int64_t width = features;
  std::istringstream in(spec);
  for (std::string word; std::getline(in, word, ',');) {
    const auto drop = word.starts_with("drop") ? number<double>(word.substr(4)) : std::nullopt;
    const auto linear = number<int64_t>(word);
    check(word.find("softmax") == std::string::npos, "--head: '", word,
          "' does not belong into a head: the loss takes logits, and a second softmax would keep ",
          "it from falling\n  hint: leave it out; probabilities are computed when predicting");
    if (linear && *linear > 0) {
      add<nn::Linear>(width, *linear, true, init);
      width = *linear;
    } else if (drop && *drop >= 0 && *drop < 1) {
      add<nn::Dropout>(*drop, random);
    } else if (word == "relu") {
      add_function(relu);
    } else if (word == "gelu") {
      add_function(gelu);
    } else if (word == "bn") {
      add<nn::BatchNorm>(width, init.state().device());
    } else {
      fail("--head: '", word, "' is none of a number, relu, gelu, bn, dropP",
           "\n  hint: --head linear, --head fastai, or a list such as --head 256,relu,drop0.3");
    }
  }
  add<nn::Linear>(width, classes, true, init);
}

Tensor Head::forward(const Tensor& x) {
  Tensor y = x;
  for (const Layer& layer : layers_) y = layer.run(y);
  return y;
}

void Head::visit(nn::Visitor& v) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (layers_[i].module) v.child(std::to_string(i), *layers_[i].module);
  }
}

}  // namespace burin::models
