// Training runs: they learn, they resume exactly, they refuse what can't work.
#include "burin/apps/training/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "apps/training_images.h"
#include "burin/apps/exit.h"
#include "burin/apps/train_run.h"
#include "burin/apps/training/augmentation.h"
#include "burin/apps/training/batch_source.h"
#include "burin/apps/training/model_file.h"
#include "burin/nn/module.h"
#include "burin/tensor/allocator.h"
#include "burin/tensor/context.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

using testing_support::losses;
using testing_support::small_run;
using testing_support::TemporaryFolder;
using testing_support::write_images;

TEST(Trainer, LearnsWhatIsEasy) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  Trainer trainer(small_run(folder.path() / "images"), {});
  const TrainOutcome outcome = trainer.run(folder.path().string());
  ASSERT_EQ(outcome.epochs.size(), 3u);
  EXPECT_EQ(outcome.best_accuracy, 1.0);
  EXPECT_LT(outcome.epochs.back().train_loss, outcome.epochs.front().train_loss);

  const ModelCard card = load_model(folder.file("best.safetensors"));
  EXPECT_EQ(card.classes, (std::vector<std::string>{"dark", "light"}));
  EXPECT_EQ(card.model->architecture, "resnet20");
  EXPECT_EQ(card.model->preprocess.crop, 32);
}

TEST(Trainer, RefusesClassesThatAModelFileCannotName) {
  for (const char* const name : {"two\nlines", "latin\xFC"}) {
    const TemporaryFolder folder;
    write_images(folder.path() / "images", 4, 32);
    std::filesystem::rename(folder.path() / "images/dark", folder.path() / "images" / name);
    expect_error([&] { Trainer(small_run(folder.path() / "images"), {}); },
                 "can't be kept in a model file\n  hint: rename the folder");
  }
}

TEST(Trainer, RefusesWhatCannotBeLearned) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 10, 32);
  std::filesystem::remove_all(folder.path() / "images/light");
  expect_error([&] { Trainer(small_run(folder.path() / "images"), {}); },
               "there is one class only, 'dark'");
  TrainOptions options = small_run(folder.path() / "nothing");
  expect_error([&] { Trainer(options, {}); }, "hint:");
}

TEST(Trainer, SaysWhenTheLossIsNotANumber) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 10, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.opt = "sgd";
  options.lr = 1e30;
  Trainer trainer(options, {});
  expect_error([&] { trainer.run(folder.path().string()); }, "hint: lower --lr");
}

/// Weights to start from: one epoch from scratch.
std::string trained_weights(const TemporaryFolder& folder) {
  TrainOptions options = small_run(folder.path() / "images");
  options.epochs = 1;
  std::filesystem::create_directories(folder.path() / "first");
  Trainer(options, {}).run(folder.file("first"));
  return folder.file("first/best.safetensors");
}

// One epoch with a frozen trunk, then two of everything; stopped in either phase, and while
// validating, and gone on with: the same losses, bit for bit.
TEST(Trainer, ResumesAFineTuningBitForBit) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.weights = trained_weights(folder);
  options.epochs = 2;
  options.head = "16,relu,drop0.3";
  std::filesystem::create_directories(folder.path() / "whole");
  std::filesystem::create_directories(folder.path() / "parts");
  const TrainOutcome whole = Trainer(options, {}).run(folder.file("whole"));
  ASSERT_EQ(whole.epochs.size(), 3u);

  std::atomic<bool> stop{false};
  int64_t stop_epoch = 1;
  bool while_validating = false;
  TrainCallbacks callbacks;
  callbacks.stop = &stop;
  callbacks.on_step = [&](const StepProgress& p) {
    stop = stop || (p.epoch == stop_epoch && p.step >= 2 && p.validating == while_validating);
  };
  EXPECT_TRUE(Trainer(options, callbacks).run(folder.file("parts")).interrupted);
  for (const auto& [epoch, validating] : {std::pair{1, true}, {2, false}, {3, true}}) {
    stop = false;
    stop_epoch = epoch;
    while_validating = validating;
    Trainer next(options, callbacks);
    next.resume(folder.file("parts/last.ckpt"));
    EXPECT_TRUE(next.run(folder.file("parts")).interrupted) << epoch;
  }
  stop_epoch = 0;
  stop = false;
  Trainer last(options, callbacks);
  last.resume(folder.file("parts/last.ckpt"));
  const TrainOutcome resumed = last.run(folder.file("parts"));
  EXPECT_EQ(losses(resumed), losses(whole));
  EXPECT_EQ(testing_support::read_whole(folder.file("parts/best.safetensors")),
            testing_support::read_whole(folder.file("whole/best.safetensors")));
  EXPECT_EQ(load_model(folder.file("whole/best.safetensors")).model->head_spec(),
            "16,relu,drop0.3");
}

TEST(Trainer, TrainsTheLastLayerOnFeaturesThatAreComputedOnce) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.weights = trained_weights(folder);
  options.recipe = "last-layer";
  options.head = "16,relu";
  options.epochs = 20;
  Trainer trainer(options, {});
  const std::vector<std::string>& notes = trainer.notes();
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
    return note.find("features were computed once") != std::string::npos;
  }));
  const TrainOutcome outcome = trainer.run(folder.path().string());
  EXPECT_EQ(outcome.best_accuracy, 1.0);
}

TEST(Trainer, TrainsOnSmallerCropsThanItEvaluates) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.aug = "shift";
  options.crop_pct = 1;
  options.train_crop_size = 24;
  EXPECT_EQ(Trainer(options, {}).run(folder.path().string()).best_accuracy, 1.0);
  const models::Preprocess& evaluated =
      load_model(folder.file("best.safetensors")).model->preprocess;
  EXPECT_EQ(evaluated.resize, 32);
  EXPECT_EQ(evaluated.crop, 32);
  options.aug = "flip";
  expect_error([&] { Trainer(options, {}); }, "nothing is cropped");
  options.weights = folder.file("best.safetensors");
  options.recipe = "last-layer";  // whose features would be computed once
  expect_error([&] { Trainer(options, {}); }, "nothing is cropped");
}

TEST(Trainer, IsDeterministicUnlessItTunes) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 10, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.epochs = 1;
  const TrainOutcome first = Trainer(options, {}).run(folder.path().string());
  options.deterministic = true;
  options.workers = 1;
  EXPECT_EQ(losses(Trainer(options, {}).run(folder.path().string())), losses(first));
  options.autotune = true;
  expect_error([&] { Trainer(options, {}); }, "--deterministic: which engines win --autotune");
}

TEST(Trainer, RefusesACropPctThatWouldCutNothing) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 10, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.crop_pct = 0.5;
  options.aug = "flip";
  EXPECT_EQ(Trainer(options, {}).model().preprocess.resize, 64);
  options.aug = "flip,square";
  expect_error([&] { Trainer(options, {}); }, "--aug square evaluates the whole");
  options.crop_pct = 1;
  EXPECT_TRUE(Trainer(options, {}).model().preprocess.square);
  std::string records;  // CIFAR's, eight of each class
  for (int i = 0; i < 80; ++i) records += static_cast<char>(i % 10) + std::string(3072, 'x');
  std::filesystem::create_directories(folder.path() / "cifar");
  for (const char* const name : {"cifar/train.bin", "cifar/test.bin"}) {
    testing_support::write_whole(folder.file(name), records);
  }
  options = small_run(folder.path() / "cifar");
  options.crop_pct = 0.5;
  expect_error([&] { Trainer(options, {}); }, "CIFAR images are evaluated as they are");
}

// Features that were computed once, of images and their mirror images, are those of images that are
// flipped on the way, in every epoch.
TEST(FeatureSource, MirrorsAsImagesAreFlipped) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  Trainer trainer(small_run(folder.path() / "images"), {});
  models::Model& trunk = trainer.model();
  const nn::EvaluationGuard evaluating(trunk);
  const NoGradGuard no_grad;
  const auto images = [&](const data::Transform& transform, const data::LoaderOptions& how) {
    const InputMaker input(trunk.preprocess, DType::f32, Device::cpu(), Layout::nhwc);
    return ImageSource(trainer.data().train, transform, how, input);
  };
  const data::LoaderOptions shuffled{.batch_size = 8, .workers = 2, .shuffle = true, .seed = 5};
  ImageSource in_order = images(evaluation_transform(trunk.preprocess), {.batch_size = 8});
  FeatureSource features(trunk, in_order, shuffled, true, nullptr);
  data::TrainingOptions flips =
      training_options(Augmentation("flip"), trunk.preprocess, trainer.data().small_and_equal);
  ImageSource flipped = images(data::training_transform(flips), shuffled);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    features.start(epoch, 1);
    flipped.start(epoch, 1);
    while (const auto batch = flipped.next()) {
      const std::vector<float> expected = trunk.features(batch->x).to_vector<float>();
      const std::vector<float> actual = features.next()->x.to_vector<float>();
      ASSERT_EQ(actual.size(), expected.size());
      for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5);
    }
    EXPECT_FALSE(features.next());
  }
}

// Two batches that make one step are one batch of twice the size: without batch norm in training,
// which looks at each batch by itself, exactly so.
TEST(Trainer, AccumulatesGradients) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.weights = trained_weights(folder);
  options.recipe = "last-layer";
  options.epochs = 2;
  options.batch_size = 16;
  const TrainOutcome whole = Trainer(options, {}).run(folder.path().string());
  options.batch_size = 8;
  options.accumulate = 2;
  const TrainOutcome halves = Trainer(options, {}).run(folder.path().string());
  for (size_t e = 0; e < 2; ++e) {
    EXPECT_NEAR(halves.epochs[e].val_loss, whole.epochs[e].val_loss, 1e-5);
  }
}

TEST(Trainer, MixesImages) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.mixup = 0.4;
  options.cutmix = 1;
  options.epochs = 4;
  const TrainOutcome outcome = Trainer(options, {}).run(folder.path().string());
  EXPECT_EQ(outcome.best_accuracy, 1.0);
  options.class_weights = true;
  expect_error([&] { Trainer(options, {}); }, "do not go with --class-weights");
}

TEST(Trainer, JoinsSeveralFolders) {
  const TemporaryFolder folder;
  write_images(folder.path() / "old", 6, 32);
  write_images(folder.path() / "new", 4, 32);
  TrainOptions options = small_run(folder.path() / "old");
  options.data.push_back(folder.file("new"));
  const Trainer trainer(options, {});
  EXPECT_EQ(trainer.data().classes, (std::vector<std::string>{"dark", "light"}));
  EXPECT_EQ(trainer.data().train->size() + trainer.data().val->size(), 20);
}

// Trained further on new images: architecture, head and, for the same classes, the classifier are
// the run's.
TEST(Trainer, GoesOnFromARunWithNewImages) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.head = "16,relu";
  Trainer(options, {}).run(folder.path().string());
  options.weights = folder.file("best.safetensors");
  options.head = "auto";
  options.recipe = "last-layer";
  options.epochs = 1;
  options.lr = 1e-6;
  Trainer next(options, {});
  EXPECT_EQ(next.model().head_spec(), "16,relu");
  std::filesystem::create_directories(folder.path() / "next");
  EXPECT_EQ(next.run(folder.file("next")).best_accuracy, 1.0);

  std::filesystem::rename(folder.path() / "images/light", folder.path() / "images/bright");
  Trainer renamed(options, {});
  EXPECT_EQ(renamed.notes().at(1), "the classifier is new: the file's is for other classes");
  options.model = "resnet56";
  expect_error([&] { Trainer(options, {}); }, "hint: add --model resnet20");
}

TEST(Trainer, SaysThatAFewImagesAreTooFew) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 2, 32);
  expect_error([&] { Trainer(small_run(folder.path() / "images"), {}); },
               "4 images are too few to set --val-frac 0.2 of them aside");
}

// A broken image is met when its batch is: the data's fault then too.
TEST(Trainer, NamesABrokenImageMetInTraining) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  std::ofstream(folder.path() / "images/dark/3.ppm") << "P6 broken";
  Trainer trainer(small_run(folder.path() / "images"), {});
  try {
    trainer.run(folder.path().string());
    FAIL() << "the broken image went unnoticed";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code, exit_bad_input);
    EXPECT_NE(std::string(failure.what()).find("dark/3.ppm"), std::string::npos);
  }
}

// --batch-size auto, with so little memory that eight times the batch has no room.
TEST(TrainRun, HalvesTheBatchWhenMemoryRunsOut) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 50, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.epochs = 1;
  options.project = folder.file("runs");
  const std::shared_ptr<CachingAllocator> allocator = allocator_of(Device::cpu());
  allocator->release_cached();
  allocator->reset_peak();
  Trainer(options, {}).run(folder.path().string());
  allocator->release_cached();
  allocator->set_cap(allocator->stats().peak_held_bytes * 3 / 2);
  options.batch_size = 64;
  options.batch_auto = true;
  TrainRun run(options, {.lines = false}, 10, "");
  const ExitCode code = run.run();
  allocator->set_cap(0);
  EXPECT_EQ(code, exit_ok);
  const std::string log = testing_support::read_whole((run.folder().path() / "train.log").string());
  EXPECT_NE(log.find("out of memory: starting again with batches of 32"), std::string::npos) << log;
}

// Expected values: fastai's valley, slide, minimum and steep in numpy on the same curve.
TEST(LearningRateFinder, SuggestsAsFastai) {
  LearningRateCurve curve;
  for (int i = 0; i < 90; ++i) {
    const double late = i < 75 ? 0 : 0.02 * (i - 75) * (i - 75);
    curve.rates.push_back(1e-7 * std::pow(1e8, i / 100.0));
    curve.losses.push_back(0.7 + 0.02 * std::sin(1.7 * i) - 0.45 / (1 + std::exp(-(i - 45) / 6.0)) +
                           late);
  }
  const LearningRateSuggestions suggestions = suggest_learning_rates(curve, 100);
  EXPECT_NEAR(suggestions.valley, 0.00363078054770101, 1e-6 * 0.00363078054770101);
  EXPECT_NEAR(suggestions.slide, 0.004365158322401656, 1e-6 * 0.004365158322401656);
  EXPECT_NEAR(suggestions.minimum, 0.006918309709189363, 1e-6 * 0.006918309709189363);
  EXPECT_NEAR(suggestions.steep, 0.00022908676527677726, 1e-6 * 0.00022908676527677726);
}

TEST(LearningRateFinder, WalksUpTheRates) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  Trainer trainer(small_run(folder.path() / "images"), {});
  const LearningRateCurve curve = trainer.find_learning_rate({.steps = 30});
  ASSERT_GE(curve.rates.size(), 10u);
  EXPECT_EQ(curve.rates.front(), 1e-7);
  EXPECT_NEAR(curve.rates[1] / curve.rates[0], std::pow(1e8, 1.0 / 30), 1e-9);
  EXPECT_TRUE(std::isfinite(curve.losses.front()));
}

}  // namespace
}  // namespace burin::apps
