#include "burin/models/gradcam.h"

#include <algorithm>
#include <cmath>

#include "burin/nn/tap.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/softmax.h"

namespace burin::models {
namespace {

/// How an activation's elements lie in space: [N, C, H, W], or tokens [N, prefix + H·W, C].
struct Space {
  int64_t C = 0, H = 0, W = 0;
  int64_t prefix = 0;  // class token and the like, before the patches
  bool tokens = false;

  bool exists() const { return H * W > 1; }
};

Space space_of(const Tensor& a) {
  if (a.rank() == 4) return {a.dim(1), a.dim(2), a.dim(3)};
  if (a.rank() != 3) return {};
  const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(a.dim(1))));
  return {a.dim(2), side, side, a.dim(1) - side * side, true};
}

/// Of a transformer's taps only norm1 will do: what the last block puts out beside the class token
/// has no way to the logits.
bool suits(std::string_view name, const Space& space) {
  return space.exists() && (!space.tokens || name.ends_with("norm1"));
}

/// Cuts the graph at the layer that is looked at: what is behind it is recorded, what is before it
/// is not.
class Cut {
 public:
  explicit Cut(std::string layer) : wanted_(std::move(layer)) {}

  Tensor operator()(std::string_view name, const Tensor& a) {
    names_ += str(names_.empty() ? "" : ", ", name);
    const bool here = wanted_.empty() ? suits(name, space_of(a)) : name == wanted_;
    if (!here) return a;
    check(space_of(a).exists(), "grad_cam: layer '", wanted_, "' ", a.shape(),
          " has no height and width left");
    found_ = name;
    activation_ = a.detach();
    activation_.set_requires_grad(true);
    return activation_;
  }

  /// Throws Error where no layer was found.
  const Tensor& activation() const {
    check(activation_.defined(), "grad_cam: ",
          wanted_.empty() ? "no layer has a height and width left"
                          : str("there is no layer '", wanted_, "'"),
          "; the model taps ", names_.empty() ? "none" : names_);
    return activation_;
  }
  const std::string& layer() const { return found_; }

 private:
  std::string wanted_, found_, names_;
  Tensor activation_;
};

void stretch_to_unit(std::vector<float>& values) {
  const float low = *std::min_element(values.begin(), values.end());
  const float high = *std::max_element(values.begin(), values.end()) - low;
  for (float& v : values) v = (v - low) / (1e-7f + high);
}

/// ReLU(Σ_c w_c · A_c) of image n.
std::vector<float> map_of(const std::vector<float>& a, const std::vector<float>& da,
                          const Space& space, int64_t n) {
  const auto [C, H, W, prefix, tokens] = space;
  const int64_t place_step = tokens ? C : 1, channel_step = tokens ? 1 : H * W;
  const int64_t first = tokens ? (n * (prefix + H * W) + prefix) * C : n * C * H * W;
  std::vector<double> sum(static_cast<size_t>(H * W), 0);
  for (int64_t c = 0; c < C; ++c) {
    double weight = 0;
    for (int64_t p = 0; p < H * W; ++p) {
      weight +=
          static_cast<double>(da[static_cast<size_t>(first + c * channel_step + p * place_step)]);
    }
    weight /= static_cast<double>(H * W);
    for (int64_t p = 0; p < H * W; ++p) {
      const auto at = static_cast<size_t>(first + c * channel_step + p * place_step);
      sum[static_cast<size_t>(p)] += weight * static_cast<double>(a[at]);
    }
  }
  std::vector<float> map;
  for (const double v : sum) map.push_back(static_cast<float>(std::max(v, 0.0)));
  stretch_to_unit(map);
  return map;
}

/// Of each row the index of its largest element.
std::vector<int64_t> largest(const std::vector<float>& rows, int64_t columns) {
  std::vector<int64_t> indices;
  for (auto row = rows.begin(); row != rows.end(); row += columns) {
    indices.push_back(std::max_element(row, row + columns) - row);
  }
  return indices;
}

/// 1 where a logit is explained: with it as seed, backward finds the gradient of every image's own
/// logit at once.
Tensor seed_of(const std::vector<int64_t>& targets, const Tensor& logits) {
  const int64_t classes = logits.dim(1);
  std::vector<float> ones(static_cast<size_t>(logits.numel()), 0);
  for (size_t n = 0; n < targets.size(); ++n) {
    ones[n * static_cast<size_t>(classes) + static_cast<size_t>(targets[n])] = 1;
  }
  return Tensor::from(ones, logits.shape(), {.device = logits.device()});
}

}  // namespace

std::vector<GradCam> grad_cam(Model& model, const Tensor& x, const GradCamOptions& options) {
  check(options.target >= -1 && options.target < model.classes, "grad_cam: class ", options.target,
        " of ", model.classes);
  for (const nn::NamedTensor& p : nn::parameters(model)) {
    check(!p.tensor.requires_grad(), "grad_cam: the model is being trained: ", p.name,
          " wants a gradient");
  }
  Cut cut(options.layer);
  const Tensor logits = [&] {
    const nn::ObserverGuard watching(
        [&cut](std::string_view name, const Tensor& a) { return cut(name, a); });
    return cast(model.forward(x), DType::f32);
  }();
  const Tensor& activation = cut.activation();
  const int64_t N = logits.dim(0), classes = logits.dim(1);
  const std::vector<float> probabilities = softmax(logits.detach()).to_vector<float>();
  std::vector<int64_t> targets(static_cast<size_t>(N), options.target);
  if (options.target < 0) targets = largest(probabilities, classes);
  backward(logits, seed_of(targets, logits));
  check(activation.grad().defined(), "grad_cam: layer '", cut.layer(), "' does not reach the head");

  const std::vector<float> a = activation.to_vector<float>();
  const std::vector<float> da = activation.grad().to_vector<float>();
  const Space space = space_of(activation);
  std::vector<GradCam> cams;
  for (int64_t n = 0; n < N; ++n) {
    const auto row = probabilities.begin() + n * classes;
    cams.push_back({.layer = cut.layer(),
                    .target = targets[static_cast<size_t>(n)],
                    .height = space.H,
                    .width = space.W,
                    .map = map_of(a, da, space, n),
                    .probabilities = {row, row + classes}});
  }
  return cams;
}

std::vector<float> GradCam::stretched(int64_t image_height, int64_t image_width) const {
  // The two pixels of the map that position i of `size` lies between, and the share of the second.
  struct Between {
    int64_t first, second;
    float share;
  };
  const auto between = [](int64_t i, int64_t size, int64_t cells) {
    const double at =
        (static_cast<double>(i) + 0.5) * static_cast<double>(cells) / static_cast<double>(size) -
        0.5;
    const double low = std::floor(at);
    const auto cell = static_cast<int64_t>(low);
    return Between{std::clamp<int64_t>(cell, 0, cells - 1),
                   std::clamp<int64_t>(cell + 1, 0, cells - 1), static_cast<float>(at - low)};
  };
  std::vector<float> values;
  values.reserve(static_cast<size_t>(image_height * image_width));
  for (int64_t y = 0; y < image_height; ++y) {
    const Between v = between(y, image_height, height);
    for (int64_t x = 0; x < image_width; ++x) {
      const Between h = between(x, image_width, width);
      const auto row = [&](int64_t cell_y) {
        const float* const cells = map.data() + cell_y * width;
        return cells[h.first] + h.share * (cells[h.second] - cells[h.first]);
      };
      const float top = row(v.first);
      values.push_back(top + v.share * (row(v.second) - top));
    }
  }
  stretch_to_unit(values);
  return values;
}

}  // namespace burin::models
