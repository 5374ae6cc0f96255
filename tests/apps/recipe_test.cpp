// fastai's fine_tune: its schedules' check values, and every step of a run recorded with PyTorch.
#include "burin/apps/training/recipe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "burin/models/resnet.h"
#include "burin/nn/batch_norm.h"
#include "burin/nn/state_dict.h"
#include "burin/tensor/autograd.h"
#include "burin/tensor/context.h"
#include "burin/tensor/files/weight_file.h"
#include "burin/tensor/ops/concat.h"
#include "burin/tensor/ops/copy.h"
#include "burin/tensor/ops/cross_entropy.h"
#include "burin/tensor/ops/shape.h"
#include "support/expect_error.h"
#include "support/test_data.h"

namespace burin::apps {
namespace {

TrainOptions fine_tuning(int epochs) {
  TrainOptions options;
  options.weights = "some.pth";
  options.epochs = epochs;
  return with_recipe(options);
}

models::ResNetOptions small_network() {
  return {.widths = {8, 12, 16, 20}, .depths = {2, 2, 2, 2}, .classes = 5};
}

TEST(Recipe, DecidesWhatTheUserDidNot) {
  EXPECT_EQ(fine_tuning(3).recipe, "fine-tune");
  EXPECT_EQ(fine_tuning(3).lr, 2e-3);
  EXPECT_EQ(fine_tuning(3).wd, 1e-2);
  EXPECT_EQ(fine_tuning(3).aug, "square");
  TrainOptions fresh;
  fresh.weights = "none";
  fresh.lr = 0.5;
  EXPECT_EQ(with_recipe(fresh).recipe, "scratch");
  EXPECT_EQ(with_recipe(fresh).lr, 0.5);
  EXPECT_EQ(with_recipe(fresh).wd, 0);
  EXPECT_EQ(with_recipe(fresh).aug, "flip,crop");
  fresh.recipe = "fine-tuned";
  expect_error([&] { with_recipe(fresh); }, "'fine-tuned' is none of");
}

// fine_tune(3) with ten steps an epoch: four epochs, the head's rate and the momentum of each step.
TEST(Recipe, HasFastaisCheckValues) {
  const TrainOptions options = fine_tuning(3);
  const std::vector<Phase> phases = phases_of(options, 3);
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(total_epochs(phases), 4);
  Generator generator(0);
  models::ResNet net(small_network(), generator);
  const auto optimizer = make_optimizer(net, options);
  const auto head_at = [&](const Phase& phase, int step) {
    set_schedule(*optimizer, options, phase, static_cast<double>(phase.first_epoch) + step / 10.0);
    return optimizer->groups().back();
  };
  const double frozen[] = {8.000e-5, 1.279e-4, 2.669e-4, 4.831e-4, 7.550e-4,
                           1.055e-3, 1.354e-3, 1.621e-3, 1.831e-3, 1.961e-3};
  for (int i = 0; i < 10; ++i) {
    EXPECT_NEAR(head_at(phases[0], i).learning_rate, frozen[i], 5e-4 * frozen[i]) << i;
    EXPECT_NEAR(optimizer->groups()[0].learning_rate, frozen[i] / 10, 5e-5 * frozen[i]) << i;
  }
  const std::pair<int, double> rates[] = {{0, 2.000e-4},  {1, 2.241e-4},  {5, 6.695e-4}, {9, 1e-3},
                                          {10, 9.944e-4}, {20, 4.626e-4}, {29, 5.595e-6}};
  for (const auto& [step, rate] : rates) {
    EXPECT_NEAR(head_at(phases[1], step).learning_rate, rate, 5e-4 * rate) << step;
    EXPECT_NEAR(optimizer->groups()[0].learning_rate, rate / 100, 5e-6 * rate) << step;
    EXPECT_NEAR(optimizer->groups()[1].learning_rate, rate / 10, 5e-5 * rate) << step;
  }
  const std::pair<int, double> momenta[] = {{0, .95}, {5, .8913}, {9, .85}, {29, .9494}};
  for (const auto& [step, momentum] : momenta) {
    EXPECT_NEAR(head_at(phases[1], step).momentum, momentum, 5e-5) << step;
  }
}

TEST(Recipe, FreezesAllButHeadAndNorms) {
  Generator generator(0);
  models::ResNet net(small_network(), generator);
  const TrainOptions options = fine_tuning(3);
  const std::vector<Phase> phases = phases_of(options, 3);
  prepare_model(net, options, phases[0]);
  for (const nn::NamedTensor& p : nn::parameters(net)) {
    const bool norm =
        p.name.find("bn") != std::string::npos || p.name.find("downsample.1") != std::string::npos;
    EXPECT_EQ(p.tensor.requires_grad(), norm || p.name.starts_with("fc.")) << p.name;
  }
  EXPECT_TRUE(net.bn1.training);
  prepare_model(net, options, phases[1]);
  for (const nn::NamedTensor& p : nn::parameters(net)) EXPECT_TRUE(p.tensor.requires_grad());

  TrainOptions last_layer = options;
  last_layer.recipe = "last-layer";
  prepare_model(net, last_layer, {});
  EXPECT_FALSE(net.bn1.training);
  EXPECT_EQ(parameter_groups(net, last_layer).size(), 1u);
  EXPECT_EQ(parameter_groups(net, last_layer)[0].parameters.size(), 2u);
}

/// Element i is element i − shift of x along `dim`, around the end.
Tensor rolled(const Tensor& x, int64_t shift, int dim) {
  const int64_t extent = x.dim(dim), begin = (extent - shift % extent) % extent;
  if (begin == 0) return x;
  return concat({slice(x, dim, begin, extent), slice(x, dim, 0, begin)}, dim);
}

struct RecordedStep {
  double rates[3];
  double momentum, loss;
};

struct Recording {
  std::vector<RecordedStep> steps;
  std::vector<double> logits;
};

Recording read_recording() {
  std::ifstream in(testing_support::golden("pytorch/fine_tune.txt"));
  Recording recording;
  std::string line;
  std::getline(in, line);  // the heading
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::vector<double> numbers;
    for (double v = 0; words >> v;) numbers.push_back(v);
    if (numbers.size() == 5) {
      recording.steps.push_back({{numbers[0], numbers[1], numbers[2]}, numbers[3], numbers[4]});
    } else {
      recording.logits = numbers;
    }
  }
  return recording;
}

// tests/golden/pytorch/make_fine_tune.py wrote fine_tune.txt.
TEST(Recipe, FineTunesAsFastai) {
  const WeightFile golden(testing_support::golden("pytorch/resnet_basic_small.safetensors"));
  const auto tensor = [&](const WeightEntry& entry) {
    Tensor t = empty(entry.shape, {entry.type == ElementType::i64 ? DType::i64 : DType::f32});
    golden.read(entry, t.writable());
    return t;
  };
  Generator generator(0);
  models::ResNet net(small_network(), generator);
  std::vector<nn::NamedTensor> weights;
  for (const WeightEntry& entry : golden.entries()) {
    if (entry.name.starts_with("weights/"))
      weights.push_back({entry.name.substr(8), tensor(entry)});
  }
  ASSERT_EQ(nn::load_state(net, weights).to_string(), "");
  const Tensor input = tensor(*golden.find("input")), target = tensor(*golden.find("target"));
  const Recording recording = read_recording();
  constexpr int batches = 4;
  const TrainOptions options = fine_tuning(2);
  const std::vector<Phase> phases = phases_of(options, 3);
  ASSERT_EQ(recording.steps.size(), static_cast<size_t>(batches * total_epochs(phases)));

  size_t number = 0;
  for (const Phase& phase : phases) {
    prepare_model(net, options, phase);
    const auto optimizer = make_optimizer(net, options);
    for (int64_t i = 0; i < phase.epochs * batches; ++i) {
      const RecordedStep& expected = recording.steps[number++];
      set_schedule(*optimizer, options, phase,
                   static_cast<double>(phase.first_epoch) + static_cast<double>(i) / batches);
      const int64_t b = i % batches;
      const Tensor x = to_layout(rolled(input, 5 * b, 3), Layout::nhwc);
      optimizer->zero_grad();
      const Tensor loss = cross_entropy(net.forward(x), rolled(target, b, 0));
      backward(loss);
      for (size_t g = 0; g < 3; ++g) {
        EXPECT_NEAR(optimizer->groups()[g].learning_rate, expected.rates[g],
                    1e-6 * expected.rates[g]);
        EXPECT_NEAR(optimizer->groups()[g].momentum, expected.momentum, 1e-6);
      }
      EXPECT_NEAR(loss.item(), expected.loss, 1e-4) << "step " << number;
      optimizer->step();
    }
  }
  nn::set_training(net, false);
  const NoGradGuard no_grad;
  const std::vector<float> logits = net.forward(to_layout(input, Layout::nhwc)).to_vector<float>();
  ASSERT_EQ(logits.size(), recording.logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    EXPECT_NEAR(logits[i], recording.logits[i], 5e-4) << i;
  }
}

// 16 / 49 · 49 is less than 16 in double.
TEST(Recipe, TheStepScheduleFallsWithTheFirstStepOfAnEpoch) {
  TrainOptions options;
  options.recipe = "scratch";
  options.sched = "step";
  for (options.epochs = 1; options.epochs <= 100; ++options.epochs) {
    const Phase phase = phases_of(options, 1).front();
    const int every = std::max(1, options.epochs / 3);
    for (int epoch = 0; epoch < options.epochs; ++epoch) {
      EXPECT_DOUBLE_EQ(scheduled(options, phase, 1, epoch).learning_rate,
                       std::pow(0.1, epoch / every))
          << epoch << " of " << options.epochs;
    }
  }
}

TEST(Recipe, TheCurveOfRatesGoesOverBothPhases) {
  const TrainOptions options = fine_tuning(3);
  const auto curve = learning_rate_curve(options, phases_of(options, 3));
  double highest = 0, highest_frozen = 0;
  for (const auto& [epoch, rate] : curve) {
    EXPECT_GT(rate, 0) << epoch;
    (epoch < 1 ? highest_frozen : highest) = std::max(epoch < 1 ? highest_frozen : highest, rate);
  }
  EXPECT_EQ(curve.front().first, 0);
  EXPECT_EQ(curve.back().first, 4);
  EXPECT_NEAR(highest_frozen, options.lr, 0.01 * options.lr);  // its peak lies between two points
  EXPECT_NEAR(highest, options.lr / 2, 1e-5);
  EXPECT_LT(curve.back().second, options.lr * 1e-4);
}

}  // namespace
}  // namespace burin::apps
