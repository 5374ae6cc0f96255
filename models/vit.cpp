#include "burin/models/vit.h"

#include <array>
#include <cmath>

#include "burin/nn/init.h"
#include "burin/nn/tap.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/matmul.h"
#include "burin/tensor/ops/shape.h"

namespace burin::models {
namespace {

constexpr float norm_epsilon = 1e-6f;
constexpr int64_t mlp_ratio = 4;

/// Row i of the result says how much of each of `from` samples is in sample i of `to`: Pillow's
/// and torch's antialiased bicubic (Keys, a = −1/2), normalised at the edges.
std::vector<double> bicubic_weights(int64_t from, int64_t to) {
  const auto keys = [](double x) {
    x = std::abs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0.0;
  };
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double width = std::max(scale, 1.0);
  std::vector<double> weights(static_cast<size_t>(from * to));
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    double sum = 0;
    for (const bool normalise : {false, true}) {
      for (int64_t j = 0; j < from; ++j) {
        double& weight = weights[static_cast<size_t>(i * from + j)];
        weight = normalise ? weight / sum : keys((static_cast<double>(j) + 0.5 - centre) / width);
        if (!normalise) sum += weight;
      }
    }
  }
  return weights;
}

/// Both directions in one matrix [rows · columns, g · g].
Tensor resize_matrix(int64_t g, int64_t rows, int64_t columns, Device device) {
  const std::vector<double> down = bicubic_weights(g, rows), across = bicubic_weights(g, columns);
  std::vector<float> matrix;
  for (int64_t i = 0; i < rows * columns; ++i) {
    for (int64_t j = 0; j < g * g; ++j) {
      matrix.push_back(static_cast<float>(down[static_cast<size_t>(i / columns * g + j / g)] *
                                          across[static_cast<size_t>(i % columns * g + j % g)]));
    }
  }
  return Tensor::from(matrix, {rows * columns, g * g}, {.device = device});
}

/// Patches along a side of the square image they come from.
int64_t side_of(int64_t patches) {
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(patches))));
  check(side > 0 && side * side == patches, "position embedding: ", patches,
        " patches are not a square");
  return side;
}

}  // namespace

Tensor resize_position_embedding(const Tensor& embed, int64_t rows, int64_t columns) {
  check(embed.rank() == 3 && embed.dim(0) == 1, "position embedding: ", embed.shape(),
        " is not [1, tokens, width]");
  const int64_t patches = embed.dim(1) - 1, width = embed.dim(2), g = side_of(patches);
  if (rows == g && columns == g) return embed;
  const Tensor matrix = resize_matrix(g, rows, columns, embed.device());
  const Tensor grid = reshape(contiguous(slice(embed, 1, 1, 1 + patches)), {patches, width});
  const Tensor resized = reshape(matmul(matrix, grid), {1, rows * columns, width});
  return concat({slice(embed, 1, 0, 1), resized}, 1);
}

VitBlock::VitBlock(int64_t width, int64_t heads, double drop_path_rate, Generator& generator)
    : norm1(width, norm_epsilon, generator.state().device()),
      attn(width, heads, generator),
      norm2(width, norm_epsilon, generator.state().device()),
      mlp(width, mlp_ratio * width, false, generator),
      drop_path(drop_path_rate, generator) {}

Tensor VitBlock::forward(const Tensor& x, const std::string& name) {
  const Tensor normed = nn::tap(name + ".norm1", norm1.forward(x));
  if (drop_path.active()) {
    const Tensor y = x + drop_path.forward(attn.forward(normed));
    return y + drop_path.forward(mlp.forward(norm2.forward(y)));
  }
  const Tensor y = attn.forward(normed, x);
  return mlp.forward(norm2.forward(y), y);
}

void VitBlock::visit(nn::Visitor& v) {
  v.child("norm1", norm1);
  v.child("attn", attn);
  v.child("norm2", norm2);
  v.child("mlp", mlp);
  v.child("drop_path", drop_path);
}

VisionTransformer::VisionTransformer(const VitOptions& options, Generator& generator)
    : patch_embed(options.patch, options.width, generator),
      norm(options.width, norm_epsilon, generator.state().device()) {
  check(options.depth > 0 && options.image % options.patch == 0, "VisionTransformer: depth ",
        options.depth, ", image ", options.image, ", patch ", options.patch);
  const TensorOptions f32 = {DType::f32, generator.state().device()};
  const int64_t side = options.image / options.patch;
  cls_token = empty({1, 1, options.width}, f32);
  normal_(cls_token, 0, 1e-6, generator);
  pos_embed = empty({1, 1 + side * side, options.width}, f32);
  normal_(pos_embed, 0, 0.02, generator);
  cls_token.set_requires_grad(true);
  pos_embed.set_requires_grad(true);
  for (int64_t i = 0; i < options.depth; ++i) {
    const double rate = options.drop_path * static_cast<double>(i) /
                        static_cast<double>(std::max<int64_t>(options.depth - 1, 1));
    blocks.push_back(std::make_unique<VitBlock>(options.width, options.heads, rate, generator));
    nn::normal_weights_(*blocks.back(), 0.02, generator);
  }
  replace_head(options.classes, generator);
  preprocess = {.resize = options.image * 10 / 9,  // timm's crop_pct of 0.9
                .crop = options.image,
                .bicubic = true,
                .mean = {0.5f, 0.5f, 0.5f},
                .std = {0.5f, 0.5f, 0.5f}};
}

Tensor VisionTransformer::extract(const Tensor& x) {
  const Tensor patches = patch_embed.forward(x);
  const int64_t N = patches.dim(0), width = patches.dim(2), patch = patch_embed.proj.options.kernel;
  const Tensor token = expand(cast(cls_token, x.dtype()), {N, 1, width});
  const Tensor positions = resize_position_embedding(pos_embed, x.dim(2) / patch, x.dim(3) / patch);
  Tensor y = concat({token, patches}, 1) + cast(positions, x.dtype());
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string name = "blocks." + std::to_string(i);
    y = nn::tap(name, blocks[i]->forward(y, name));
  }
  // Only the class token is looked at: the norm needs no other row.
  const Tensor first = reshape(contiguous(slice(y, 1, 0, 1)), {N, width});
  return norm.forward(first);
}

void VisionTransformer::replace_head(int64_t new_classes, Generator& generator) {
  head = std::make_unique<nn::Linear>(feature_count(), new_classes, true, generator);
  nn::normal_weights_(*head, 0.02, generator);
  classes = new_classes;
}

void VisionTransformer::visit(nn::Visitor& v) {
  v.parameter("cls_token", cls_token);
  v.parameter("pos_embed", pos_embed);
  v.child("patch_embed", patch_embed);
  v.children("blocks", blocks);
  v.child("norm", norm);
  visit_head(v, "head", *head);
}

std::string VisionTransformer::adopt(std::vector<nn::NamedSource>& tensors) {
  std::string note;
  for (nn::NamedSource& tensor : tensors) {
    if (const std::string ours = vit_name(tensor.name); !ours.empty()) {
      tensor.name = ours;
      note = "torchvision's names were translated";
    }
  }
  const bool from_torchvision = !note.empty();
  const int64_t side = side_of(pos_embed.dim(1) - 1);
  for (nn::NamedSource& tensor : tensors) {
    Shape& shape = tensor.shape;
    const bool other_grid = tensor.name == "pos_embed" && shape.rank() == 3 && shape[0] == 1 &&
                            shape[1] != pos_embed.dim(1) && shape[2] == pos_embed.dim(2);
    if (!other_grid) continue;
    side_of(shape[1] - 1);  // throws before anything is changed
    note += str(note.empty() ? "" : "; ", "the position embedding was resized from ", shape[1] - 1,
                " to ", side * side, " patches");
    shape[1] = pos_embed.dim(1);
    tensor.read = [read = tensor.read, side] {
      return resize_position_embedding(read(), side, side);
    };
  }
  if (from_torchvision) {
    preprocess = {.resize = preprocess.crop * 256 / 224, .crop = preprocess.crop};
  }
  return note;
}

std::string vit_name(const std::string& name) {
  using Pair = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Pair, 6> outer = {{{"class_token", "cls_token"},
                                                 {"conv_proj.", "patch_embed.proj."},
                                                 {"encoder.pos_embedding", "pos_embed"},
                                                 {"encoder.ln.", "norm."},
                                                 {"heads.head.", "head."},
                                                 {"heads.", "head."}}};
  // torchvision 0.12 called the MLP's layers linear_1 and linear_2, 0.13 and later 0 and 3.
  static constexpr std::array<Pair, 8> inner = {{{"ln_1.", "norm1."},
                                                 {"ln_2.", "norm2."},
                                                 {"self_attention.in_proj_", "attn.qkv."},
                                                 {"self_attention.out_proj.", "attn.proj."},
                                                 {"mlp.0.", "mlp.fc1."},
                                                 {"mlp.3.", "mlp.fc2."},
                                                 {"mlp.linear_1.", "mlp.fc1."},
                                                 {"mlp.linear_2.", "mlp.fc2."}}};
  const auto translated = [](const std::string& text, const auto& pairs) -> std::string {
    for (const auto& [theirs, ours] : pairs) {
      if (text.starts_with(theirs)) return std::string(ours) + text.substr(theirs.size());
    }
    return {};
  };
  constexpr std::string_view layer = "encoder.layers.encoder_layer_";
  if (!name.starts_with(layer)) return translated(name, outer);
  const size_t dot = name.find('.', layer.size());
  if (dot == std::string::npos) return {};
  const std::string rest = translated(name.substr(dot + 1), inner);
  const std::string number = name.substr(layer.size(), dot - layer.size());
  return rest.empty() ? rest : "blocks." + number + '.' + rest;
}

}  // namespace burin::models
