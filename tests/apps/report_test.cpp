// What a report computes: curves and averages against sklearn, sentences about errors, event files
// read back.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "burin/apps/report/analysis.h"
#include "burin/apps/report/contact_sheet.h"
#include "burin/apps/report/tensorboard.h"
#include "support/temporary_folder.h"

namespace burin::apps {
namespace {

/// Grey images of given labels.
class FlatImages : public data::Dataset {
 public:
  FlatImages(std::vector<std::string> classes, std::vector<int64_t> labels)
      : classes_(std::move(classes)), labels_(std::move(labels)) {}
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  const std::vector<std::string>& classes() const override { return classes_; }
  int64_t label(int64_t i) const override { return labels_[static_cast<size_t>(i)]; }
  std::string name(int64_t i) const override { return str("image", i); }
  std::shared_ptr<const data::Image> load(int64_t /*i*/) const override {
    return std::make_shared<data::Image>(8, 8);
  }

 private:
  std::vector<std::string> classes_;
  std::vector<int64_t> labels_;
};

/// Two classes; the probability of class 1 is given.
Evaluation evaluation_of(const std::vector<double>& p1, const FlatImages& dataset) {
  Evaluation evaluation{.confusion = ConfusionMatrix(2)};
  for (size_t i = 0; i < p1.size(); ++i) {
    const int64_t label = dataset.label(static_cast<int64_t>(i)), predicted = p1[i] > 0.5 ? 1 : 0;
    evaluation.confusion.add(label, predicted);
    evaluation.predictions.push_back(predicted);
    evaluation.sample_loss.push_back(-std::log(label == 1 ? p1[i] : 1 - p1[i]));
    evaluation.probabilities.push_back(static_cast<float>(1 - p1[i]));
    evaluation.probabilities.push_back(static_cast<float>(p1[i]));
  }
  return evaluation;
}

// The example of sklearn's documentation for roc_curve, roc_auc_score and average_precision_score.
TEST(Analysis, AgreesWithSklearn) {
  const FlatImages dataset({"no", "yes"}, {0, 0, 1, 1});
  const Evaluation evaluation = evaluation_of({0.1, 0.4, 0.35, 0.8}, dataset);
  const Analysis analysis = analyse(evaluation, dataset);
  EXPECT_NEAR(analysis.auc[1], 0.75, 1e-6);
  EXPECT_NEAR(analysis.average_precision[1], 0.8333333, 1e-6);
  const std::vector<charts::Point> roc = roc_curve(evaluation, dataset, 1);
  const std::vector<std::pair<double, double>> expected = {
      {0, 0}, {0, 0.5}, {0.5, 0.5}, {0.5, 1}, {1, 1}};
  ASSERT_EQ(roc.size(), expected.size());
  for (size_t i = 0; i < roc.size(); ++i) {
    EXPECT_DOUBLE_EQ(roc[i].x, expected[i].first);
    EXPECT_DOUBLE_EQ(roc[i].y, expected[i].second);
  }
  // The area under the points is the AUC.
  double area = 0;
  for (size_t i = 1; i < roc.size(); ++i) {
    area += (roc[i].x - roc[i - 1].x) * (roc[i].y + roc[i - 1].y) / 2;
  }
  EXPECT_NEAR(area, analysis.auc[1], 1e-9);
}

TEST(Analysis, SortsNanScoresLast) {
  const FlatImages dataset({"no", "yes"}, {0, 0, 1, 1, 1});
  const double nan = std::nan("");
  const Analysis analysis = analyse(evaluation_of({nan, 0.9, 0.8, nan, 0.4}, dataset), dataset);
  EXPECT_TRUE(std::isnan(analysis.auc[1]));
  EXPECT_TRUE(std::isnan(analysis.average_precision[1]));
  EXPECT_EQ(analysis.by_loss, (std::vector<int64_t>{1, 4, 2, 0, 3}));
  EXPECT_EQ(analysis.wrong, (std::vector<int64_t>{1, 4, 3}));
  EXPECT_EQ(analysis.right, (std::vector<int64_t>{2, 0}));
  EXPECT_TRUE(std::isnan(analysis.calibration_error));
  int64_t in_bins = 0;
  for (const auto& bin : analysis.reliability) in_bins += bin.count;
  EXPECT_EQ(in_bins, 3);
}

TEST(Analysis, SaysWhichWayTheErrorsGo) {
  const FlatImages dataset({"ai", "real"}, {0, 0, 0, 0, 1, 1, 1, 1});
  const Evaluation evaluation = evaluation_of({0.1, 0.2, 0.3, 0.97, 0.05, 0.3, 0.4, 0.9}, dataset);
  const Analysis analysis = analyse(evaluation, dataset);
  ASSERT_EQ(analysis.flows.size(), 2u);
  EXPECT_EQ(analysis.flows[0].actual, 1);
  EXPECT_EQ(analysis.flows[0].count, 3);
  EXPECT_DOUBLE_EQ(analysis.flows[0].share, 0.75);
  EXPECT_EQ(analysis.wrong, (std::vector<int64_t>{3, 4, 5, 6}));
  EXPECT_EQ(analysis.by_loss[0], 3);
  EXPECT_EQ(analysis.sure_and_wrong, 2);
  std::string text;
  for (const std::string& line : error_summary(analysis, evaluation, dataset)) text += line + "\n";
  EXPECT_NE(text.find("4 of 8 images are answered wrong (50.0 %)"), std::string::npos) << text;
  EXPECT_NE(text.find("“real” is taken for “ai” 3 times: 75.0 %"), std::string::npos) << text;
  EXPECT_NE(text.find("3.0 times as likely"), std::string::npos) << text;
  EXPECT_NE(text.find("2 of the 4 wrong answers are given with 90 % or more"), std::string::npos);
}

TEST(Analysis, TakesASetWithoutErrors) {
  const FlatImages dataset({"a", "b"}, {0, 1});
  const Evaluation evaluation = evaluation_of({0.1, 0.9}, dataset);
  const Analysis analysis = analyse(evaluation, dataset);
  EXPECT_TRUE(analysis.wrong.empty());
  EXPECT_TRUE(analysis.traits.empty());
  EXPECT_EQ(error_summary(analysis, evaluation, dataset).size(), 1u);
}

/// Records of an event file, their checksums verified.
std::vector<std::string> read_records(const std::string& file) {
  const auto number = [&](size_t at, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      value |= uint64_t{static_cast<unsigned char>(file.at(at + i))} << (8 * i);
    }
    return value;
  };
  const auto masked = [](std::string_view bytes) {
    const uint32_t crc = crc32c(bytes);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
  };
  std::vector<std::string> records;
  for (size_t at = 0; at < file.size();) {
    const size_t length = number(at, 8);
    EXPECT_EQ(number(at + 8, 4), masked({file.data() + at, 8}));
    records.push_back(file.substr(at + 12, length));
    EXPECT_EQ(number(at + 12 + length, 4), masked(records.back()));
    at += 16 + length;
  }
  return records;
}

TEST(TensorBoard, WritesRecordsThatReadBack) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u) << "the check value of CRC-32C";
  const std::vector<EpochResult> epochs = {{.epoch = 1, .seconds = 2, .val_loss = 0.5},
                                           {.epoch = 300, .seconds = 2, .val_loss = 0.25}};
  const std::vector<std::string> records = read_records(tensorboard_events(epochs, 1000));
  ASSERT_EQ(records.size(), 3u);
  EXPECT_NE(records[0].find("brain.Event:2"), std::string::npos);
  const std::string& last = records[2];
  double time = 0;
  std::memcpy(&time, last.data() + 1, 8);
  EXPECT_EQ(last[0], 0x09) << "field 1, eight bytes";
  EXPECT_EQ(time, 1004);
  EXPECT_EQ(last.substr(9, 3), std::string("\x10\xAC\x02", 3)) << "field 2: step 300";
  const size_t tag = last.find("loss/val");
  ASSERT_NE(tag, std::string::npos);
  float value = 0;
  std::memcpy(&value, last.data() + tag + 8 + 1, 4);  // behind the tag: key 0x15, four bytes
  EXPECT_EQ(last[tag + 8], 0x15);
  EXPECT_EQ(value, 0.25f);
}

TEST(TensorBoard, HasOneFileForARunThatEndedTwice) {
  const testing_support::TemporaryFolder folder;
  testing_support::write_whole(folder.file("events.out.tfevents.7.host"), "another program's");
  write_tensorboard(folder.path(), {{.epoch = 1, .seconds = 2}});
  write_tensorboard(folder.path(), {{.epoch = 1, .seconds = 2}, {.epoch = 2, .seconds = 90}});
  std::vector<std::string> ours;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".burin") ours.push_back(entry.path().string());
  }
  ASSERT_EQ(ours.size(), 1u);
  EXPECT_EQ(read_records(testing_support::read_whole(ours[0])).size(), 3u);
  EXPECT_TRUE(std::filesystem::exists(folder.file("events.out.tfevents.7.host")));
}

TEST(ContactSheet, HoldsPicturesOfAnySize) {
  const data::Image sheet = contact_sheet(
      {{data::Image(300, 10), {{"wide"}}}, {data::Image(1, 200), {{"high"}, {"x"}}}}, 64);
  EXPECT_EQ(sheet.width, 14 + 2 * 78);
  EXPECT_EQ(sheet.height, 14 + 64 + 2 * 17 + 14);
  EXPECT_EQ(thumbnail(data::Image(300, 10), 64).height, 2);
}

}  // namespace
}  // namespace burin::apps
