// Each mistake that lint knows, planted; and none of them where there is none.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "apps/run_burin.h"
#include "burin/apps/exit.h"
#include "burin/apps/image_file.h"
#include "burin/apps/lint/finding.h"
#include "burin/models/catalog.h"
#include "burin/tensor/random.h"
#include "support/expect_error.h"

namespace burin::apps {
namespace {

using Level = Finding::Level;
using testing_support::TemporaryFolder;
using testing_support::write_whole;

/// The finding of that title, or nothing.
const Finding* find(const Findings& findings, const std::string& title) {
  for (const Finding& finding : findings) {
    if (finding.title == title) return &finding;
  }
  return nullptr;
}

TEST(LintOptions, AcceptsTheDefaults) {
  EXPECT_TRUE(lint_options({}, 2).empty());
}

// Workflow W5's head: softmax before cross-entropy, and 256 outputs for 2 classes.
TEST(LintOptions, RefusesASoftmaxBeforeTheLoss) {
  EXPECT_NEAR(lowest_loss_after_softmax(256), 4.552, 5e-4);
  TrainOptions options;
  options.head = "256,relu,drop0.3,softmax";
  const Findings findings = lint_options(options, 2);
  const Finding* const finding = find(findings, "softmax before cross-entropy");
  ASSERT_NE(finding, nullptr);
  EXPECT_EQ(finding->level, Level::fatal);
  EXPECT_NE(finding->explanation.find("cannot fall below 4.552"), std::string::npos);
  EXPECT_THROW(refuse_fatal(findings, exit_usage), Failure);
}

// The floor is what it says: probabilities of a perfect model, through another softmax.
TEST(LintOptions, KnowsTheFloor) {
  for (const int outputs : {2, 10, 256}) {
    const double sum = std::exp(1.0) + outputs - 1;  // a one-hot vector
    EXPECT_NEAR(lowest_loss_after_softmax(outputs), -std::log(std::exp(1.0) / sum), 1e-12);
  }
}

TEST(LintOptions, FindsRatesOffScaleAndBatchesOfOne) {
  TrainOptions options;
  options.lr = 10;
  EXPECT_EQ(find(lint_options(options, 2), "learning rate off scale")->level, Level::fatal);
  options.lr = 0.1;
  EXPECT_EQ(find(lint_options(options, 2), "learning rate off scale")->level, Level::warning);
  options.opt = "sgd";
  EXPECT_TRUE(lint_options(options, 2).empty());
  options.batch_size = 1;
  EXPECT_EQ(find(lint_options(options, 2), "batches of one with batch norm")->level, Level::fatal);
  options.model = "vit_base_patch16_224";
  EXPECT_TRUE(lint_options(options, 2).empty()) << "it has no batch norm";
}

std::vector<EpochResult> epochs_of(const std::vector<std::pair<double, double>>& losses) {
  std::vector<EpochResult> epochs;
  for (const auto& [train, val] : losses) {
    epochs.push_back(
        {.epoch = static_cast<int64_t>(epochs.size() + 1), .train_loss = train, .val_loss = val});
  }
  return epochs;
}

TEST(LintEpochs, ReadsTheCurves) {
  EXPECT_TRUE(lint_epochs(epochs_of({{0.6, 0.6}, {0.4, 0.5}, {0.3, 0.45}}), 2).empty());
  EXPECT_NE(find(lint_epochs(epochs_of({{0.70, 0.7}, {0.69, 0.7}, {0.693, 0.7}}), 2),
                 "nothing was learnt"),
            nullptr);
  EXPECT_NE(find(lint_epochs(epochs_of({{0.6, 0.5}, {0.3, 0.4}, {0.05, 0.9}}), 2), "overfitting"),
            nullptr);
  EXPECT_NE(find(lint_epochs(epochs_of({{4.6, 4.6}, {4.553, 4.56}}), 2),
                 "the loss looks like softmax before cross-entropy"),
            nullptr);
}

TEST(LintEpochs, FindsAValidationLossThatIsNone) {
  const Findings findings = lint_epochs(epochs_of({{0.6, 0.6}, {0.5, INFINITY}, {0.4, NAN}}), 2);
  const Finding* const finding = find(findings, "the validation loss is no number");
  ASSERT_NE(finding, nullptr);
  EXPECT_NE(finding->explanation.find("It is inf from epoch 2 on"), std::string::npos);
}

TEST(LintEpochs, FindsAModelThatAnswersOneThing) {
  const std::string title = "every image gets the same answer";
  std::vector<EpochResult> epochs = epochs_of({{0.7, 0.7}});
  epochs[0].best = true;
  epochs[0].accuracy = 0.583333;  // 7 of 12
  epochs[0].precision = 0.291667;
  epochs[0].recall = 0.5;
  EXPECT_NE(find(lint_epochs(epochs, 2), title), nullptr);
  EXPECT_EQ(find(lint_epochs(epochs, 3), title), nullptr);
  epochs[0].precision = 0.5;  // guessing
  EXPECT_EQ(find(lint_epochs(epochs, 2), title), nullptr);
  const std::string guesses = "hardly better than guessing";
  EXPECT_NE(find(lint_epochs(epochs, 2), guesses), nullptr);
  epochs[0].recall = 0.6;
  EXPECT_EQ(find(lint_epochs(epochs, 2), guesses), nullptr);
}

TEST(LintModel, FindsWhatAFileCanHide) {
  Generator generator(0);
  const auto fresh = [&] { return models::make_model("resnet20", 2, generator); };
  const std::vector<std::string> two = {"ai", "real"};
  const auto trained = [&] {
    auto model = fresh();
    for (const nn::NamedTensor& buffer : nn::buffers(*model)) {
      Tensor t = buffer.tensor;
      if (buffer.name.ends_with("running_var")) fill_(t, 0.7);
    }
    return model;
  };
  EXPECT_TRUE(lint_model(*trained(), two).empty());
  EXPECT_NE(find(lint_model(*fresh(), two), "batch norms without statistics"), nullptr);
  EXPECT_NE(find(lint_model(*trained(), {"a", "b", "c"}), "outputs are not as many as classes"),
            nullptr);
  const auto diverged = trained();
  Tensor weight = nn::parameters(*diverged).front().tensor;
  fill_(weight, NAN);
  EXPECT_EQ(find(lint_model(*diverged, two), "weights that are no numbers")->level, Level::fatal);
  const auto other = trained();
  other->preprocess.mean = {0, 0, 0};
  EXPECT_NE(find(lint_model(*other, two), "unusual normalisation"), nullptr);
}

data::Image noise(uint32_t seed, int64_t side) {
  std::mt19937 random(seed);
  data::Image image(side, side);
  for (uint8_t& p : image.pixels) p = static_cast<uint8_t>(random());
  return image;
}

/// DIR/{train,val}/{ai,real}/N.png, all different.
void write_set(const TemporaryFolder& folder) {
  uint32_t seed = 0;
  for (const char* const part : {"train", "val"}) {
    for (const char* const name : {"ai", "real"}) {
      std::filesystem::create_directories(folder.path() / part / name);
      for (int i = 0; i < 12; ++i)
        write_image(folder.file(str(part, '/', name, '/', i, ".png")), noise(seed++, 24));
    }
  }
}

TEST(LintData, AcceptsASoundSet) {
  const TemporaryFolder folder;
  write_set(folder);
  EXPECT_TRUE(lint_data(folder.path().string()).empty());
  const Ran ran = run_burin("lint " + folder.path().string());
  EXPECT_EQ(ran.code, exit_ok);
  EXPECT_NE(ran.out.find("nothing looks wrong"), std::string::npos);
}

// A run on such files is linted without them.
TEST(LintData, SaysThatFilesOfManyImagesAreNotLookedInto) {
  const TemporaryFolder folder;
  write_whole(folder.file("train-images-idx3-ubyte"), "");
  EXPECT_FALSE(has_image_files(folder.path().string()));
  expect_error([&] { lint_data(folder.path().string()); }, "not idx or CIFAR files");
  std::filesystem::create_directory(folder.file("photos"));
  EXPECT_TRUE(has_image_files(folder.file("photos")));
}

TEST(LintData, FindsTwinsAcrossPartsAndClasses) {
  const TemporaryFolder folder;
  write_set(folder);
  std::filesystem::copy_file(folder.file("train/ai/3.png"), folder.file("val/ai/leak.png"));
  std::filesystem::copy_file(folder.file("train/ai/4.png"), folder.file("train/real/both.png"));
  const Findings findings = lint_data(folder.path().string());
  ASSERT_NE(find(findings, "the same picture in two parts"), nullptr);
  EXPECT_NE(find(findings, "the same picture in two parts")->explanation.find("leak.png"),
            std::string::npos);
  EXPECT_NE(find(findings, "the same picture in two classes"), nullptr);
  const Ran ran = run_burin("lint " + folder.path().string());
  EXPECT_EQ(ran.code, exit_bad_input);
  EXPECT_NE(ran.out.find("FATAL: the same picture in two parts"), std::string::npos) << ran.out;
}

TEST(LintData, DoesNotTakeFilesThatCannotBeDecodedForTwins) {
  const TemporaryFolder folder;
  write_set(folder);
  testing_support::write_whole(folder.file("train/ai/broken.png"), "no image");
  testing_support::write_whole(folder.file("val/real/broken.png"), "none either");
  const Findings findings = lint_data(folder.path().string());
  EXPECT_NE(find(findings, "files that can't be decoded"), nullptr);
  EXPECT_EQ(find(findings, "the same picture in two parts"), nullptr);
  EXPECT_EQ(find(findings, "the same picture in two classes"), nullptr);
}

TEST(LintData, FindsFilesThatGiveTheirClassAway) {
  const TemporaryFolder folder;
  write_set(folder);
  for (const char* const part : {"train", "val"}) {
    for (uint32_t i = 0; i < 12; ++i) {
      write_image(folder.file(str(part, "/ai/", i, ".png")),
                  noise(1000 + i + (part[0] == 't' ? 0 : 50), 32));
    }
  }
  EXPECT_NE(find(lint_data(folder.path().string()), "the files give the class away"), nullptr);
  for (int i = 2; i < 12; ++i) std::filesystem::remove(folder.file(str("train/ai/", i, ".png")));
  const Findings findings = lint_data(folder.path().string());
  EXPECT_NE(find(findings, "uneven classes"), nullptr);
  EXPECT_NE(find(findings, "a class with hardly any images"), nullptr);
}

TEST(TrainRefuses, WhatIsFatal) {
  const TemporaryFolder folder;
  const Ran ran = run_burin("train " + folder.path().string() + " --model resnet18 --batch-size 1");
  EXPECT_EQ(ran.code, exit_usage);
  EXPECT_NE(ran.err.find("batches of one with batch norm"), std::string::npos) << ran.err;
}

TEST(TrainRefuses, ToValidateOnWhatItTrainsOn) {
  const TemporaryFolder folder;
  write_set(folder);
  const std::string train = "train " + folder.path().string() +
                            " --model resnet20 --weights none --img-size 16 --batch-size 8 "
                            "--epochs 1 --no-plots --project " +
                            folder.file("runs");
  std::filesystem::copy_file(folder.file("train/ai/0.png"), folder.file("val/ai/leak.png"));
  const Ran warned = run_burin(train + " --recipe scratch");
  EXPECT_EQ(warned.code, exit_ok) << warned.err;
  EXPECT_NE(warned.err.find("warning: the same picture in two parts: 1 of 25"), std::string::npos)
      << warned.err;
  for (int i = 1; i < 12; ++i) {
    std::filesystem::copy_file(folder.file(str("train/ai/", i, ".png")),
                               folder.file(str("val/ai/leak", i, ".png")));
  }
  const Ran refused = run_burin(train + " --recipe scratch");
  EXPECT_EQ(refused.code, exit_bad_input);
  EXPECT_NE(refused.err.find("12 of 36 validation images (33.3 %)"), std::string::npos)
      << refused.err;
}

TEST(Menu, AsksShowsTheCommandAndGoesOn) {
  const TemporaryFolder folder;
  write_set(folder);
  testing_support::write_whole(folder.file("answers"),
                               "99\n13\n\n" + folder.path().string() + "\n0\n");
  const std::string command =
      "'" BURIN_COMMAND "' menu <" + folder.file("answers") + " >" + folder.file("out");
  EXPECT_EQ(std::system(command.c_str()), 0);
  const std::string out = testing_support::read_whole(folder.file("out"));
  EXPECT_NE(out.find("number from 0 to"), std::string::npos) << out;
  EXPECT_NE(out.find("An answer is needed"), std::string::npos) << out;
  EXPECT_NE(out.find("$ burin lint " + folder.path().string()), std::string::npos) << out;
  EXPECT_NE(out.find("nothing looks wrong"), std::string::npos) << out;
  EXPECT_EQ(run_burin("menu").code, exit_ok) << "the end of stdin leaves it";
}

}  // namespace
}  // namespace burin::apps
