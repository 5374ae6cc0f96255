// Test-time augmentation, held to its formula: fastai's Learner.tta is
// torch.lerp(stack(views).mean(0), plain, beta), of probabilities.
#include "burin/apps/training/test_time.h"

#include <gtest/gtest.h>

#include "apps/run_burin.h"
#include "apps/training_images.h"
#include "burin/apps/classifier.h"
#include "burin/apps/exit.h"
#include "burin/apps/tta_options.h"
#include "burin/data/image_folder.h"
#include "burin/models/catalog.h"
#include "burin/tensor/context.h"
#include "burin/tensor/ops/softmax.h"
#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

constexpr int64_t side = 32;

TEST(TestTime, LeansTowardsThePlainImageByItsShare) {
  const std::vector<float> first = {0.2f, 0.8f}, second = {0.4f, 0.6f}, plain = {0.9f, 0.1f};
  const std::vector<float> blended = blend_views({first, second}, plain, 0.25);
  EXPECT_FLOAT_EQ(blended[0], 0.75f * 0.3f + 0.25f * 0.9f);
  EXPECT_FLOAT_EQ(blended[1], 0.75f * 0.7f + 0.25f * 0.1f);
}

/// An untrained model and pictures to ask it about.
class TestTimeViews : public testing::Test {
 protected:
  void SetUp() override {
    testing_support::write_images(folder_.path() / "images", 5, 40);
    images_ = std::make_shared<data::ImageFolder>(folder_.path() / "images");
  }
  /// Always the same weights.
  static LoadedModel model(const std::string& aug = "flip,crop") {
    LoadedModel loaded;
    loaded.card.generator = std::make_unique<Generator>(1);
    loaded.card.model = models::make_model("resnet20", 2, *loaded.card.generator);
    loaded.card.model->preprocess.resize = loaded.card.model->preprocess.crop = side;
    loaded.card.classes = {"dark", "light"};
    loaded.card.aug = aug;
    nn::set_training(*loaded.card.model, false);
    return loaded;
  }
  static TestTimeAugmentation views(int count, uint64_t seed) {
    return test_time_augmentation({.views = count, .seed = seed}, model());
  }
  Evaluation evaluated(int batch_size, int workers, const TestTimeAugmentation& tta) const {
    return evaluate(asked_.model(), images_,
                    {.batch_size = batch_size, .workers = workers, .tta = tta});
  }
  std::vector<float> probabilities(const data::Image& ready) const {
    const NoGradGuard no_grad;
    data::Batch batch{
        .height = side, .width = side, .pixels = ready.pixels, .labels = {0}, .indices = {0}};
    const InputMaker input(asked_.model().preprocess, DType::f32, Device::cpu(), Layout::nhwc);
    return softmax(asked_.model().forward(input.images(batch))).to_vector<float>();
  }
  /// 0.75 · mean of the views + 0.25 · plain. `sample` is what a view draws from besides its
  /// number.
  std::vector<double> by_hand(const data::Image& image, const TestTimeAugmentation& tta,
                              int64_t sample) const {
    data::SampleRandom unused(0, 0, 0);
    const std::vector<float> plain =
        probabilities(evaluation_transform(asked_.model().preprocess).apply(image, unused));
    std::vector<double> result = {0.25 * plain[0], 0.25 * plain[1]};
    for (int64_t v = 0; v < tta.views; ++v) {
      data::SampleRandom random(tta.seed, v, sample);
      const std::vector<float> seen = probabilities(tta.view.apply(image, random));
      for (size_t c = 0; c < 2; ++c) result[c] += 0.75 * seen[c] / static_cast<double>(tta.views);
    }
    return result;
  }

  testing_support::TemporaryFolder folder_;
  LoadedModel asked_ = model();
  std::shared_ptr<const data::Dataset> images_;
};

TEST_F(TestTimeViews, EvaluationFollowsTheFormula) {
  const TestTimeAugmentation tta = views(3, 7);
  const Evaluation evaluation = evaluated(4, 2, tta);
  double loss = 0;
  for (int64_t i = 0; i < images_->size(); ++i) {
    const std::vector<double> expected = by_hand(*images_->load(i), tta, i);
    EXPECT_NEAR(evaluation.probability(i, 0), expected[0], 1e-5);
    EXPECT_NEAR(evaluation.probability(i, 1), expected[1], 1e-5);
    EXPECT_EQ(evaluation.predictions[static_cast<size_t>(i)], expected[1] > expected[0]);
    loss -= std::log(expected[static_cast<size_t>(images_->label(i))]) / 10;
  }
  EXPECT_NEAR(evaluation.loss, loss, 1e-5);
  EXPECT_EQ(evaluation.confusion.total(), 10);
}

TEST_F(TestTimeViews, AreDrawnFromTheSeedAlone) {
  const Evaluation once = evaluated(4, 1, views(2, 7));
  EXPECT_EQ(once.probabilities, evaluated(4, 3, views(2, 7)).probabilities);
  EXPECT_NE(once.probabilities, evaluated(4, 1, views(2, 8)).probabilities);
  EXPECT_NE(once.probabilities, evaluated(4, 1, {}).probabilities);
}

TEST_F(TestTimeViews, PredictionsFollowTheFormulaWhateverStandsBesideThem) {
  const TestTimeAugmentation tta = views(2, 3);
  const Classifier classifier(model(), tta);
  const InputImage first{images_->name(0), {}}, broken{"nowhere.png", {}},
      last{images_->name(9), {}};
  const std::vector<Prediction> together = classifier.classify({first, broken, last});
  EXPECT_FALSE(together[1].error.empty());
  for (const auto& [prediction, sample] : {std::pair(together[0], 0), {together[2], 9}}) {
    const std::vector<double> expected = by_hand(*images_->load(sample), tta, 0);
    EXPECT_NEAR(prediction.probabilities[0], expected[0], 1e-5);
    EXPECT_NEAR(prediction.probabilities[1], expected[1], 1e-5);
  }
}

TEST_F(TestTimeViews, RefusesWhatWouldChangeNothing) {
  const auto refused = [&](const TtaOptions& options, const std::string& aug) {
    try {
      test_time_augmentation(options, model(aug));
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code, exit_usage);
      return std::string(failure.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(refused({.mirror = true, .views = 2}, "flip"),
            "--tta and --tta-views exclude each other");
  EXPECT_EQ(refused({.views = 2}, "none"),
            "--tta-views: without augmentation all views are the plain one");
  EXPECT_NE(refused({.views = 2}, "").find("does not say how its images were augmented"),
            std::string::npos);
  EXPECT_EQ(refused({.views = 2, .aug = "flip"}, ""), "nothing");
  EXPECT_NE(refused({.views = 2, .aug = "flop"}, "").find("--tta-aug: 'flop' is none of flip"),
            std::string::npos);
}

TEST_F(TestTimeViews, TheCommandDrawsThemAsTheModelWasTrained) {
  const std::string train = "train " + folder_.file("images") +
                            " --model resnet20 --weights none --img-size 32 --epochs 1 --no-plots "
                            "--no-tensorboard --workers 1 --val-frac 0.4 --project " +
                            folder_.file("runs");
  const Ran trained = run_burin(train);
  ASSERT_EQ(trained.code, exit_ok) << trained.err;
  const std::string model = " -m " + folder_.file("runs/exp") + " --tta-views 2 ";
  const std::string image = images_->name(0);
  const Ran once = run_burin("predict" + model + "--format csv " + image);
  EXPECT_EQ(once.code, exit_ok) << once.err;
  EXPECT_EQ(once.out, run_burin("predict" + model + "--format csv " + image).out);
  const std::string evaluate = "evaluate" + model + "--no-report " + folder_.file("images");
  EXPECT_EQ(run_burin(evaluate).code, exit_ok);
  EXPECT_EQ(run_burin(evaluate + " --tta").code, exit_usage);
}

}  // namespace
}  // namespace burin::apps
