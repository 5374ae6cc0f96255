// Weights stored in the activations' dtype: what a network computes stays what it was, to the bit.
#include "burin/models/fold.h"

#include <gtest/gtest.h>

#include "burin/models/resnet.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/random.h"

namespace burin::models {
namespace {

TEST(StoreWeights, GivesTheLogitsThatCastingAtEachPassGives) {
  Generator generator(3);
  ResNet net({.widths = {8, 8, 16, 16}, .depths = {1, 1, 1, 1}, .classes = 5}, generator);
  Tensor images = empty({2, 3, 32, 32}, {.layout = Layout::nhwc});
  normal_(images, 0, 1, generator);
  fold_batch_norm(net);
  const NoGradGuard no_grad;
  const Tensor x = cast(images, DType::bf16);
  const std::vector<float> expected = net.forward(x).to_vector<float>();

  store_weights_in(net, DType::bf16);
  EXPECT_EQ(net.conv1.weight.dtype(), DType::bf16);
  EXPECT_EQ(net.fc->weight.dtype(), DType::bf16);
  EXPECT_EQ(net.fc->bias.dtype(), DType::f32);
  EXPECT_EQ(net.forward(x).to_vector<float>(), expected);
}

}  // namespace
}  // namespace burin::models
