#include "burin/nn/patch_embed.h"

#include "burin/tensor/ops/shape.h"

namespace burin::nn {

PatchEmbed::PatchEmbed(int64_t patch, int64_t features, Generator& generator)
    : proj({.in_channels = 3, .out_channels = features, .kernel = patch, .stride = patch},
           generator) {}

Tensor PatchEmbed::forward(const Tensor& x) {
  const int64_t patch = proj.options.kernel;
  check(x.rank() == 4 && x.dim(2) % patch == 0 && x.dim(3) % patch == 0, "patch_embed: an image ",
        x.shape(), " does not divide into patches of ", patch, "x", patch);
  const Tensor y = proj.forward(x);
  return reshape(to_rows(y), {y.dim(0), y.dim(2) * y.dim(3), y.dim(1)});
}

}  // namespace burin::nn
