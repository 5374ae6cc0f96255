// Training runs: they learn, they resume exactly, they refuse what can't work.
#include "burin/apps/training/trainer.h"

#include <gtest/gtest.h>

#include <fstream>

#include "burin/apps/training/model_file.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

using testing_support::TemporaryFolder;

/// Class folders of small PPM files: class "dark" and class "light", each image with some noise.
void write_images(const std::filesystem::path& folder, int per_class, int size) {
  uint32_t noise = 1;
  for (const int level : {60, 180}) {
    const auto directory = folder / (level < 128 ? "dark" : "light");
    std::filesystem::create_directories(directory);
    for (int i = 0; i < per_class; ++i) {
      std::string pixels;
      for (int p = 0; p < size * size * 3; ++p) {
        noise = noise * 1664525u + 1013904223u;
        pixels += static_cast<char>(level + static_cast<int>(noise >> 26));
      }
      std::ofstream(directory / (std::to_string(i) + ".ppm"), std::ios::binary)
          << "P6\n"
          << size << ' ' << size << "\n255\n"
          << pixels;
    }
  }
}

TrainOptions small_run(const std::filesystem::path& images) {
  TrainOptions options;
  options.data = {images.string()};
  options.model = "resnet20";
  options.img_size = 32;
  options.batch_size = 8;
  options.epochs = 3;
  options.workers = 2;
  return options;
}

std::vector<double> losses(const TrainOutcome& outcome) {
  std::vector<double> result;
  for (const EpochResult& epoch : outcome.epochs) {
    result.push_back(epoch.train_loss);
    result.push_back(epoch.val_loss);
  }
  return result;
}

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

// Stopped in the middle of an epoch and gone on with: the same losses, bit for bit.
TEST(Trainer, ResumesBitForBit) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 20, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.ema = 0.9;
  std::filesystem::create_directories(folder.path() / "whole");
  std::filesystem::create_directories(folder.path() / "parts");
  const TrainOutcome whole = Trainer(options, {}).run(folder.file("whole"));

  std::atomic<bool> stop{false};
  TrainCallbacks callbacks;
  callbacks.stop = &stop;
  callbacks.on_step = [&](const StepProgress& p) {
    stop = p.epoch == 2 && p.step == 2 && !p.validating;
  };
  EXPECT_TRUE(Trainer(options, callbacks).run(folder.file("parts")).interrupted);

  Trainer second(options, {});
  second.resume(folder.file("parts/last.ckpt"));
  const TrainOutcome resumed = second.run(folder.file("parts"));
  EXPECT_EQ(losses(resumed), losses(whole));
  EXPECT_EQ(testing_support::read_whole(folder.file("parts/best.safetensors")),
            testing_support::read_whole(folder.file("whole/best.safetensors")));
}

TEST(Trainer, RefusesToResumeOnOtherImages) {
  const TemporaryFolder folder;
  write_images(folder.path() / "images", 10, 32);
  TrainOptions options = small_run(folder.path() / "images");
  options.epochs = 1;
  Trainer(options, {}).run(folder.path().string());
  std::filesystem::remove(folder.path() / "images/dark/3.ppm");
  Trainer other(options, {});
  expect_error([&] { other.resume(folder.file("last.ckpt")); }, "was written for other images");
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

}  // namespace
}  // namespace burin::apps
