// Published weights on photographs, from the files to the verdict.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "burin/apps/classifier.h"
#include "burin/models/catalog.h"
#include "burin/models/load_weights.h"
#include "support/test_data.h"

namespace burin::apps {
namespace {

using testing_support::test_data;

/// One line of labels.tsv: what PyTorch 1.13 with torchvision 0.14 says of a photograph.
struct Reference {
  std::string file;
  size_t label = 0;
  std::vector<size_t> classes;  // the five best
  std::vector<double> logits;   // theirs
};

std::vector<double> numbers(const std::string& list) {
  std::vector<double> values;
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');) values.push_back(std::stod(word));
  return values;
}

std::vector<Reference> read_references(const std::string& path) {
  std::vector<Reference> references;
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);  // the columns' names
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string label, wnid, name, classes, logits;
    Reference reference;
    std::getline(fields, reference.file, '\t');
    std::getline(fields, label, '\t');
    std::getline(fields, wnid, '\t');
    std::getline(fields, name, '\t');
    std::getline(fields, classes, '\t');
    std::getline(fields, logits, '\t');
    reference.label = std::stoul(label);
    for (const double c : numbers(classes)) {
      reference.classes.push_back(static_cast<size_t>(c));
    }
    reference.logits = numbers(logits);
    references.push_back(std::move(reference));
  }
  return references;
}

Classifier squeezenet(const std::string& weights) {
  Generator generator(0);
  LoadedModel loaded;
  loaded.path = weights;
  loaded.card.model = models::make_model("squeezenet1_1", 1000, generator);
  models::load_weights(*loaded.card.model, weights);
  for (int i = 0; i < 1000; ++i) loaded.card.classes.push_back(std::to_string(i));
  return Classifier(std::move(loaded));
}

TEST(Published, SqueezeNetSeesInPhotographsWhatPyTorchSees) {
  const auto weights = test_data("weights/squeezenet1_1-imagenet.pth");
  const auto labels = test_data("imagenet-sample/labels.tsv");
  if (!weights || !labels) GTEST_SKIP() << "test data is absent: set BURIN_TEST_DATA";
  const std::vector<Reference> references = read_references(*labels);
  ASSERT_EQ(references.size(), 200u);
  const Classifier classifier = squeezenet(*weights);

  int right = 0, right_of_five = 0;
  constexpr size_t batch = 25;
  for (size_t begin = 0; begin < references.size(); begin += batch) {
    std::vector<InputImage> images;
    for (size_t i = begin; i < begin + batch; ++i) {
      images.push_back({*test_data("imagenet-sample/" + references[i].file), std::nullopt});
    }
    const std::vector<Prediction> predictions = classifier.classify(images);
    for (size_t i = 0; i < batch; ++i) {
      const Reference& reference = references[begin + i];
      const Prediction& prediction = predictions[i];
      ASSERT_EQ(prediction.error, "");
      std::vector<size_t> five = prediction.ranking();
      five.resize(5);
      EXPECT_EQ(five, reference.classes) << reference.file;
      for (size_t k = 1; k < 5; ++k) {
        // Probabilities know logits up to a constant.
        const double apart = std::log(prediction.probabilities[reference.classes[0]] /
                                      prediction.probabilities[reference.classes[k]]);
        EXPECT_NEAR(apart, reference.logits[0] - reference.logits[k], 2e-3) << reference.file;
      }
      right += five[0] == reference.label ? 1 : 0;
      right_of_five += std::count(five.begin(), five.end(), reference.label) > 0 ? 1 : 0;
    }
  }
  EXPECT_EQ(right, 135);
  EXPECT_EQ(right_of_five, 171);
}

}  // namespace
}  // namespace burin::apps
