#include "burin/models/convnext_v2.h"

#include <numeric>
#include <regex>

#include "burin/nn/init.h"
#include "burin/nn/tap.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/pool2d.h"
#include "burin/tensor/ops/shape.h"

namespace burin::models {
namespace {

constexpr float norm_epsilon = 1e-6f;
constexpr int64_t mlp_ratio = 4;

/// A norm over the channels of an image.
Tensor channel_norm(nn::LayerNorm& norm, const Tensor& x) {
  return from_rows(norm.forward(to_rows(x)));
}

/// Rates that rise evenly from 0 to `last`, a list for each stage.
std::array<std::vector<double>, 4> drop_paths_of(const ConvNextOptions& options) {
  const int64_t blocks = std::accumulate(options.depths.begin(), options.depths.end(), int64_t{0});
  std::array<std::vector<double>, 4> rates;
  int64_t number = 0;
  for (size_t stage = 0; stage < rates.size(); ++stage) {
    for (int64_t i = 0; i < options.depths[stage]; ++i) {
      rates[stage].push_back(options.drop_path * static_cast<double>(number++) /
                             static_cast<double>(std::max<int64_t>(blocks - 1, 1)));
    }
  }
  return rates;
}

}  // namespace

ConvNextBlock::ConvNextBlock(int64_t width, double drop_path_rate, Generator& generator)
    : conv_dw({.in_channels = width, .out_channels = width, .kernel = 7, .pad = 3, .groups = width},
              generator),
      norm(width, norm_epsilon, generator.state().device()),
      mlp(width, mlp_ratio * width, true, generator),
      drop_path(drop_path_rate, generator) {}

Tensor ConvNextBlock::forward(const Tensor& x) {
  const Tensor rows = norm.forward(to_rows(conv_dw.forward(x)));
  if (drop_path.active()) return x + drop_path.forward(from_rows(mlp.forward(rows)));
  return from_rows(mlp.forward(rows, to_rows(x)));
}

void ConvNextBlock::visit(nn::Visitor& v) {
  v.child("conv_dw", conv_dw);
  v.child("norm", norm);
  v.child("mlp", mlp);
  v.child("drop_path", drop_path);
}

ConvNextStage::ConvNextStage(int64_t in, int64_t out, const std::vector<double>& drop_paths,
                             Generator& generator) {
  if (in != out) {
    downsample_norm = std::make_unique<nn::LayerNorm>(in, norm_epsilon, generator.state().device());
    downsample = std::make_unique<nn::Conv2d>(
        nn::Conv2dOptions{.in_channels = in, .out_channels = out, .kernel = 2, .stride = 2},
        generator);
  }
  for (const double rate : drop_paths) {
    blocks.push_back(std::make_unique<ConvNextBlock>(out, rate, generator));
  }
}

Tensor ConvNextStage::forward(const Tensor& x, const std::string& name) {
  Tensor y = downsample ? downsample->forward(channel_norm(*downsample_norm, x)) : x;
  for (size_t i = 0; i < blocks.size(); ++i) {
    y = nn::tap(name + ".blocks." + std::to_string(i), blocks[i]->forward(y));
  }
  return y;
}

void ConvNextStage::visit(nn::Visitor& v) {
  if (downsample) {
    v.child("downsample.0", *downsample_norm);
    v.child("downsample.1", *downsample);
  }
  v.children("blocks", blocks);
}

ConvNextV2::ConvNextV2(const ConvNextOptions& options, Generator& generator)
    : stem({.in_channels = 3, .out_channels = options.widths[0], .kernel = 4, .stride = 4},
           generator),
      stem_norm(options.widths[0], norm_epsilon, generator.state().device()),
      head_norm(options.widths[3], norm_epsilon, generator.state().device()) {
  const auto rates = drop_paths_of(options);
  int64_t in = options.widths[0];
  for (size_t i = 0; i < stages.size(); ++i) {
    stages[i] = std::make_unique<ConvNextStage>(in, options.widths[i], rates[i], generator);
    in = options.widths[i];
  }
  replace_head(options.classes, generator);
  nn::normal_weights_(*this, 0.02, generator);
  preprocess = {.resize = 256, .crop = 224, .bicubic = true};
}

Tensor ConvNextV2::extract_map(const Tensor& x) {
  Tensor y = channel_norm(stem_norm, stem.forward(x));
  for (size_t i = 0; i < stages.size(); ++i) {
    const std::string name = "stages." + std::to_string(i);
    y = nn::tap(name, stages[i]->forward(y, name));
  }
  return y;
}

Tensor ConvNextV2::extract(const Tensor& x) {
  return head_norm.forward(global_avg_pool2d(extract_map(x)));
}

void ConvNextV2::replace_head(int64_t new_classes, Generator& generator) {
  fc = std::make_unique<nn::Linear>(feature_count(), new_classes, true, generator);
  nn::normal_weights_(*fc, 0.02, generator);
  classes = new_classes;
}

void ConvNextV2::visit(nn::Visitor& v) {
  v.child("stem.0", stem);
  v.child("stem.1", stem_norm);
  for (size_t i = 0; i < stages.size(); ++i) v.child("stages." + std::to_string(i), *stages[i]);
  v.child("head.norm", head_norm);
  visit_head(v, "head.fc", *fc);
}

std::string ConvNextV2::adopt(std::vector<nn::NamedSource>& tensors) {
  std::string note;
  for (nn::NamedSource& tensor : tensors) {
    if (const std::string ours = convnext_name(tensor.name); !ours.empty()) {
      tensor.name = ours;
      note = "the original release's names were translated";
    }
    // Its GRN parameters are [1, 1, 1, C]; timm's small variants have 1×1 convolutions for linear
    // layers, [K, C, 1, 1].
    Shape& shape = tensor.shape;
    const bool of_mlp = tensor.name.find(".mlp.") != std::string::npos;
    if (!of_mlp || shape.rank() != 4) continue;
    shape = tensor.name.find(".grn.") != std::string::npos ? Shape{numel(shape)}
                                                           : Shape{shape[0], shape[1]};
    tensor.read = [read = tensor.read, shape] { return reshape(read(), shape); };
  }
  return note;
}

std::string convnext_name(const std::string& name) {
  // As timm's convnext.py, checkpoint_filter_fn.
  static const std::regex block(R"(stages\.(\d)\.(\d+)\.(dwconv|norm|pwconv1|pwconv2|grn)\.(\w+))");
  static const std::regex downsample(R"(downsample_layers\.(\d)\.(\d)\.(\w+))");
  static const std::regex head(R"((norm|head)\.(weight|bias))");
  std::smatch match;
  if (std::regex_match(name, match, downsample)) {
    const std::string where =
        match[1] == "0" ? "stem." : "stages." + match[1].str() + ".downsample.";
    return where + match[2].str() + '.' + match[3].str();
  }
  if (std::regex_match(name, match, head)) {
    return (match[1] == "norm" ? "head.norm." : "head.fc.") + match[2].str();
  }
  if (!std::regex_match(name, match, block)) return {};
  const std::string part = match[3], field = match[4];
  const std::string where = "stages." + match[1].str() + ".blocks." + match[2].str() + '.';
  if (part == "dwconv") return where + "conv_dw." + field;
  if (part == "norm") return where + "norm." + field;
  if (part == "grn") return where + "mlp.grn." + (field == "gamma" ? "weight" : "bias");
  return where + (part == "pwconv1" ? "mlp.fc1." : "mlp.fc2.") + field;
}

}  // namespace burin::models
