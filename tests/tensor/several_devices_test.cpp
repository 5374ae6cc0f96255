// Several devices of a kind in one process: GPUs where there are two, emulated ones everywhere.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <numeric>
#include <string_view>
#include <thread>

#include "burin/kernels/plugin.h"
#include "burin/kernels/registry.h"
#include "burin/nn/ema.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/conv2d.h"
#include "burin/tensor/ops/gather_u8.h"
#include "burin/tensor/ops/grn.h"
#include "burin/tensor/ops/layer_norm.h"
#include "burin/tensor/ops/matmul.h"
#include "burin/tensor/ops/normalize_u8.h"
#include "burin/tensor/ops/reduce.h"
#include "support/environment.h"
#include "support/expect_error.h"
#include "tensor/small_training.h"

namespace burin {
namespace {

using testing_support::SmallTraining;

class SeveralDevices : public testing::TestWithParam<DeviceKind> {
 protected:
  void SetUp() override {
    const DeviceRuntime* const runtime = registry().device(GetParam());
    if (runtime == nullptr) GTEST_SKIP() << why_family_is_missing(name_of(GetParam()));
    if (runtime->count() < 2) GTEST_SKIP() << runtime->count() << " device";
    count_ = runtime->count();
  }
  Device device(int index) const { return {GetParam(), index}; }
  int count() const { return count_; }

  /// f(0), f(1), … at once, each in a thread of its own.
  void in_threads(const std::function<void(int)>& f) const {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count_; ++i) threads.emplace_back(f, i);
  }

 private:
  const Environment emulated_{"BURIN_EMULATOR_DEVICES", "2"};
  int count_ = 0;
};

constexpr int64_t steps = 6;

/// All that steps leave behind; the last `replayed` of them are replays of a recorded one.
std::vector<float> trained(Device device, int64_t replayed) {
  SmallTraining training(device);
  int64_t done = 0;
  for (; done < steps - replayed; ++done) {
    training.prepare(done);
    training.step();
  }
  if (replayed > 0) {
    StepGraph graph(device, [&] { training.step(); });
    for (; done < steps; ++done) {
      training.prepare(done);
      training.replay(graph);
    }
  }
  return training.state();
}

TEST_P(SeveralDevices, TrainAtOnce) {
  const std::vector<float> alone = trained(device(0), 0);
  std::vector<size_t> in_use;
  for (int i = 0; i < count(); ++i) in_use.push_back(allocator_of(device(i))->stats().in_use_bytes);
  std::vector<std::vector<float>> at_once(static_cast<size_t>(count()));
  in_threads([&](int i) { at_once[static_cast<size_t>(i)] = trained(device(i), 0); });
  for (const std::vector<float>& state : at_once) EXPECT_EQ(state, alone);
  for (int i = 0; i < count(); ++i) {
    EXPECT_EQ(allocator_of(device(i))->stats().in_use_bytes, in_use[static_cast<size_t>(i)]);
  }
}

TEST_P(SeveralDevices, ReplayRecordedStepsEachOnItsOwn) {
  const char* const allocator = std::getenv("BURIN_ALLOCATOR");
  if (allocator != nullptr && std::string_view(allocator) == "plain") {
    GTEST_SKIP() << "recording needs the caching allocator";
  }
  const std::vector<float> eager = trained(device(0), 0);
  std::vector<std::vector<float>> replayed(static_cast<size_t>(count()));
  in_threads([&](int i) { replayed[static_cast<size_t>(i)] = trained(device(i), 3); });
  for (const std::vector<float>& state : replayed) EXPECT_EQ(state, eager);

  Tensor here = zeros({4}, {DType::f32, device(0)}), there = zeros({4}, {DType::f32, device(1)});
  const auto step_on_both = [&] {
    fill_(here, 1);
    fill_(there, 1);
  };
  expect_error(
      [&] { StepGraph(device(0), step_on_both); },
      str("recording: a step on ", device(0), " can't repeat what it does on ", device(1)));
}

TEST_P(SeveralDevices, KeepTheirMemoryApart) {
  for (int i = 0; i < count(); ++i) allocator_of(device(i))->reset_peak();
  std::vector<AllocatorStats> before;
  for (int i = 0; i < count(); ++i) before.push_back(allocator_of(device(i))->stats());
  {
    const Tensor more = empty({3 << 20}, {DType::u8, device(1)});
    const auto now = [&](int i) { return allocator_of(device(i))->stats(); };
    EXPECT_EQ(now(0).in_use_bytes, before[0].in_use_bytes);
    EXPECT_EQ(now(0).peak_in_use_bytes, before[0].peak_in_use_bytes);
    EXPECT_EQ(now(1).in_use_bytes, before[1].in_use_bytes + (3 << 20));
    EXPECT_TRUE(allocator_of(device(1))->report().starts_with(str(device(1), ": ")));

    allocator_of(device(1))->set_cap(now(1).held_bytes);
    const auto large = [&](int i) { return empty({64 << 20}, {DType::u8, device(i)}); };
    expect_error([&] { large(1); }, str(device(1), ": no memory for 67108864 bytes"));
    large(0);
    allocator_of(device(1))->set_cap(0);
  }
  for (int i = 0; i < count(); ++i) {
    allocator_of(device(i))->release_cached();
    EXPECT_EQ(allocator_of(device(i))->stats().in_use_bytes,
              before[static_cast<size_t>(i)].in_use_bytes);
  }
  EXPECT_EQ(allocator_of(device(1))->stats().held_bytes, 0u);  // no test leaves anything there
}

TEST_P(SeveralDevices, CopyToEachOther) {
  std::vector<float> values(12000);
  std::iota(values.begin(), values.end(), 0.0f);
  Tensor x = to_device(Tensor::from(values, {30, 400}), device(0));
  for (int i = 1; i < count(); ++i) x = to_device(x, device(i));
  EXPECT_EQ(x.device(), device(count() - 1));
  EXPECT_EQ(x.to_vector<float>(), values);

  // Part of a tensor, into part of another in other strides and 16 bits.
  Tensor to = zeros({400, 30}, {DType::bf16, device(0)});
  Tensor column = slice(permute(to, {1, 0}), 1, 0, 3);
  copy_into(column, slice(x, 1, 5, 8));
  const std::vector<float> copied = to.to_vector<float>();
  EXPECT_EQ(copied[0], 5);
  EXPECT_EQ(copied[30 * 2 + 0], 7);
  EXPECT_EQ(copied[30 * 3 + 0], 0);
}

TEST_P(SeveralDevices, AGradientTravelsBack) {
  Tensor x = Tensor::from(std::vector<float>{1, -2, 3}, {3}, {DType::f32, device(0)});
  x.set_requires_grad(true);
  const Tensor there = to_device(affine(x, 2, 0), device(1));
  backward(sum(there * there));  // Σ 4 x²
  EXPECT_EQ(x.grad().device(), device(0));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{8, -16, 24}));
}

TEST_P(SeveralDevices, RefuseAnOpOnTensorsOfTwo) {
  const TensorOptions here{DType::f32, device(0)}, there{DType::f32, device(1)};
  Generator numbers(7, device(1));
  const Tensor x = zeros({2, 4, 3, 3}, here), rows = zeros({2, 4}, here), four = zeros({4}, here);
  const Tensor w = zeros({4, 4, 1, 1}, there), square = zeros({4, 4}, there),
               four_there = zeros({4}, there), rows_there = zeros({2, 4}, there);
  const Tensor labels = zeros({2}, {DType::i64, device(1)});
  const Tensor pixels = zeros({2, 4, 3, 3}, {DType::u8, device(1)});
  const Tensor places = zeros({2, 4}, {DType::i32, device(1)});
  Tensor y = zeros({2, 4, 3, 3}, here), sum = zeros({2, 4}, here);
  BatchNormState norm{four, four, four, four_there};
  Tensor leaf = zeros({4}, here);
  leaf.set_requires_grad(true);
  Generator weights(7, device(0));
  nn::Linear layer(4, 4, true, weights);
  layer.bias = four_there;
  const nn::ParameterGroup two{{{"first", four, {}}, {"second", four_there, {}}}};

  const std::vector<std::pair<std::string, std::function<void()>>> refused = {
      {"conv2d: x is on A, weight on B", [&] { conv2d(x, w, {}, {}); }},
      {"linear: x is on A, weight on B", [&] { linear(rows, square, {}); }},
      {"linear: x is on A, bias on B",
       [&] {
         linear(rows, zeros({4, 4}, here), four_there);
       }},
      {"matmul: a is on A, b on B", [&] { matmul(rows, square); }},
      {"elementwise: a is on A, b on B", [&] { rows + rows_there; }},
      {"add_: a is on A, b on B", [&] { add_(sum, rows_there); }},
      {"concat: the first tensor is on A, another on B",
       [&] {
         concat({rows, rows, rows_there}, 0);
       }},
      {"batch_norm: x is on A, running_variance on B",
       [&] { batch_norm_train(x, norm, {}, 0.1f, 1e-5f); }},
      {"batch_norm: x is on A, running_variance on B",
       [&] { batch_norm_inference(x, norm, {}, 1e-5f); }},
      {"layer_norm: x is on A, bias on B", [&] { layer_norm(rows, four, four_there, 1e-5f); }},
      {"grn: x is on A, weight on B",
       [&] {
         grn(zeros({2, 3, 4}, here), four_there, four_there, 1e-6f);
       }},
      {"cross_entropy: logits is on A, target on B", [&] { cross_entropy(rows, labels, {}); }},
      {"dropout: x is on A, the generator on B", [&] { dropout(rows, 0.5, numbers); }},
      {"fill: the generator is on B, the tensor on A", [&] { normal_(sum, 0, 1, numbers); }},
      {"normalize_u8: x is on B, mean on A", [&] { normalize_u8(pixels, four, four, y); }},
      {"gather_u8: table is on B, mean on A", [&] { gather_u8(pixels, places, four, four, y); }},
      {"backward: the tensor is on A, its gradient on B",
       [&] { backward(affine(leaf, 2, 0), four_there); }},
      {"set_grad: the tensor is on A, its gradient on B", [&] { leaf.set_grad(four_there); }},
      {"optimizer: first is on A, second on B",
       [&] { nn::Adam(std::vector<nn::ParameterGroup>{two}); }},
      {"ema: weight is on A, bias on B", [&] { nn::Ema(layer, 0.9, false); }},
  };
  for (const auto& [words, op] : refused) {
    std::string expected = words;
    expected.replace(expected.find(" A"), 2, str(' ', device(0)));
    expected.replace(expected.find(" B"), 2, str(' ', device(1)));
    expect_error(op, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, SeveralDevices,
                         testing::Values(DeviceKind::emulator, DeviceKind::cuda),
                         [](const auto& one) { return std::string(name_of(one.param)); });

}  // namespace
}  // namespace burin
