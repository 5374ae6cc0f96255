#include "burin/apps/training/test_time.h"

#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/elementwise.h"
#include "burin/tensor/ops/shape.h"
#include "burin/tensor/ops/softmax.h"

namespace burin::apps {

Tensor forward_with_mirror(models::Model& model, const Tensor& x) {
  const NoGradGuard no_grad;
  const Tensor plain = softmax(cast(model.forward(x), DType::f32));
  const Tensor mirrored = softmax(cast(model.forward(flip(x, 3)), DType::f32));
  return log(affine(plain + mirrored, 0.5, 0));
}

std::vector<float> blend_views(const std::vector<std::span<const float>>& views,
                               std::span<const float> plain, double plain_share) {
  check(!views.empty(), "blend_views: there is no view");
  std::vector<float> blended;
  for (size_t i = 0; i < plain.size(); ++i) {
    double mean = 0;
    for (const std::span<const float> view : views) {
      mean += static_cast<double>(view[i]) / static_cast<double>(views.size());
    }
    const auto itself = static_cast<double>(plain[i]);
    blended.push_back(static_cast<float>(mean + plain_share * (itself - mean)));
  }
  return blended;
}

}  // namespace burin::apps
