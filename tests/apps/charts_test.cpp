// Charts: round ticks, text that stays inside, the same picture as SVG and as pixels.
#include "burin/apps/charts/charts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "burin/apps/charts/axis.h"
#include "burin/apps/charts/font.h"
#include "burin/apps/charts/raster.h"
#include "burin/apps/charts/svg.h"
#include "burin/apps/image_file.h"
#include "burin/kernels/base/error.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps::charts {
namespace {

LineChart loss_chart() {
  LineChart chart{.title = "Loss", .x_name = "epoch", .y_name = "cross-entropy", .series = {}};
  Series train{.name = "training", .points = {}}, val{.name = "validation", .points = {}};
  for (int e = 1; e <= 12; ++e) {
    train.points.push_back({1.0 * e, 0.7 * std::exp(-e / 4.0) + 0.05});
    val.points.push_back({1.0 * e, 0.6 * std::exp(-e / 5.0) + 0.15 + 0.01 * (e % 3)});
  }
  chart.series = {train, val};
  chart.marks = {{{9, val.points[8].y}, "best: epoch 9"}};
  chart.whole_x = true;
  return chart;
}

MatrixChart published_matrix(bool normalised) {
  return {.title = normalised ? "Confusion matrix, shares of each class" : "Confusion matrix",
          .labels = {"real", "fake"},
          .counts = {{5754, 243}, {121, 5879}},
          .normalised = normalised};
}

LineChart roc() {
  LineChart chart{.title = "ROC curve: fake (AUC 0.987)",
                  .x_name = "false positive rate",
                  .y_name = "true positive rate",
                  .series = {{.name = "fake", .points = {}}}};
  for (int i = 0; i <= 100; ++i) {
    chart.series[0].points.push_back({i / 100.0, std::pow(i / 100.0, 0.12)});
  }
  chart.diagonal = true;
  chart.width = chart.height = 440;
  return chart;
}

LineChart learning_rates() {
  LineChart chart{.title = "Learning rate range test",
                  .x_name = "learning rate",
                  .y_name = "smoothed loss",
                  .series = {{.name = "loss", .points = {}}}};
  for (int i = 0; i < 95; ++i) {
    const double rate = 1e-7 * std::pow(10, i / 12.0);
    chart.series[0].points.push_back(
        {rate, 0.9 - 0.5 / (1 + std::exp(-(i - 50) / 6.0)) + (i > 80 ? 0.02 * (i - 80) : 0)});
  }
  chart.marks = {{chart.series[0].points[48], "valley 1.00e-03"}};
  chart.logarithmic_x = true;
  return chart;
}

ReliabilityChart reliability() {
  ReliabilityChart chart{.title = "Calibration (ECE 0.041)", .bins = {}};
  for (int i = 0; i < 15; ++i) {
    const double middle = (i + 0.5) / 15;
    chart.bins.push_back({middle, middle * middle * 0.3 + middle * 0.65, i < 7 ? 0 : i * i * i});
  }
  return chart;
}

BarChart bars() {
  BarChart chart{.title = "Accuracy under corruption", .value_name = "accuracy", .bars = {}};
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, double>>{
           {"none", 0.9505}, {"blur 1", 0.91}, {"blur 2", 0.84}, {"JPEG quality 10", 0.62}}) {
    chart.bars.push_back({name, value, name[0] == 'n' ? Ink::green : Ink::blue, "0."});
    chart.bars.back().text = std::to_string(value).substr(0, 6);
  }
  chart.high = 1;
  return chart;
}

MatrixChart many_classes() {
  MatrixChart chart{.title = "Confusion matrix", .labels = {}, .counts = {}};
  for (int i = 0; i < 10; ++i) {
    chart.labels.push_back("class number " + std::to_string(i));
    chart.counts.emplace_back();
    for (int j = 0; j < 10; ++j) chart.counts.back().push_back(i == j ? 90 : (i * j) % 4);
  }
  return chart;
}

std::vector<std::pair<std::string, Drawing>> every_chart() {
  Histogram sizes{.title = "Image widths", .x_name = "pixels", .y_name = "images", .values = {}};
  for (int i = 0; i < 300; ++i) sizes.values.push_back(200 + 3.0 * (i * 37 % 100));
  return {{"loss", draw(loss_chart())},
          {"matrix", draw(published_matrix(false))},
          {"matrix_normalised", draw(published_matrix(true))},
          {"matrix_many", draw(many_classes())},
          {"roc", draw(roc())},
          {"lr_find", draw(learning_rates())},
          {"reliability", draw(reliability())},
          {"bars", draw(bars())},
          {"histogram", draw(sizes)}};
}

TEST(Axis, HasRoundTicksAroundTheValues) {
  const Axis a = linear_axis(0.13, 0.87);
  EXPECT_EQ(a.ticks.size(), 6u);
  EXPECT_DOUBLE_EQ(a.low, 0);
  EXPECT_DOUBLE_EQ(a.high, 1);
  EXPECT_EQ(a.text(a.ticks[1]), "0.2");
  EXPECT_EQ(whole_axis(1, 3).ticks, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(logarithmic_axis(2e-7, 9).text(1e-3), "1e-3");
  EXPECT_GT(linear_axis(5, 5).high, 5) << "one value";
}

// Every label lies within its picture and none covers another.
TEST(Charts, TextStaysInsideAndApart) {
  for (const auto& [name, drawing] : every_chart()) {
    struct Box {
      double left, top, right, bottom;
      std::string text;
    };
    std::vector<Box> boxes;
    for (const Element& element : drawing.elements) {
      const Label* const label = std::get_if<Label>(&element);
      if (label == nullptr || label->text.empty()) continue;
      const double width = text_width(label->text, label->size);
      const double shift = label->anchor == Anchor::start    ? 0
                           : label->anchor == Anchor::middle ? -width / 2
                                                             : -width;
      const double height = 0.75 * label->size;
      Box box{label->at.x + shift, label->at.y - height, label->at.x + shift + width, label->at.y,
              label->text};
      if (label->upward) {
        box = {label->at.x - height, label->at.y - shift - width, label->at.x, label->at.y - shift,
               label->text};
      }
      EXPECT_GE(box.left, 0) << name << ": " << box.text;
      EXPECT_GE(box.top, 0) << name << ": " << box.text;
      EXPECT_LE(box.right, drawing.width) << name << ": " << box.text;
      EXPECT_LE(box.bottom, drawing.height) << name << ": " << box.text;
      for (const Box& other : boxes) {
        const bool apart = box.right <= other.left || other.right <= box.left ||
                           box.bottom <= other.top || other.bottom <= box.top;
        EXPECT_TRUE(apart) << name << ": '" << box.text << "' covers '" << other.text << "'";
      }
      boxes.push_back(box);
    }
  }
}

using Light = std::array<double, 3>;

Light blended(const Light& below, const Paint& paint, bool dark) {
  const Rgb color = color_of(paint.ink, dark);
  const Light above = {color.r / 255.0, color.g / 255.0, color.b / 255.0};
  Light all;
  for (size_t i = 0; i < 3; ++i) {
    all[i] = paint.opacity * above[i] + (1 - paint.opacity) * below[i];
  }
  return all;
}

// WCAG 2.1, relative luminance and contrast ratio.
double luminance(const Light& color) {
  const auto linear = [](double v) {
    return v <= 0.03928 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(color[0]) + 0.7152 * linear(color[1]) + 0.0722 * linear(color[2]);
}

double contrast(const Light& one, const Light& other) {
  const auto [low, high] = std::minmax({luminance(one), luminance(other)});
  return (high + 0.05) / (low + 0.05);
}

// WCAG 2.1, 1.4.3: whatever its share, a cell's number can be read on light and dark ground.
TEST(Charts, NumbersOfAMatrixStandOutFromTheirCells) {
  MatrixChart chart{.title = "", .labels = {}, .counts = {}, .normalised = true};
  for (int i = 0; i <= 10; ++i) {
    chart.labels.push_back(str(i));
    chart.counts.emplace_back(11, 0.0);
    chart.counts.back()[static_cast<size_t>(i)] = i;  // from no share to all of a row
    chart.counts.back()[static_cast<size_t>((i + 1) % 11)] = 10 - i;
  }
  int numbers = 0;
  for (const bool dark : {false, true}) {
    Light below = blended({}, {Ink::background}, dark);
    for (const Element& element : draw(chart).elements) {
      if (const auto* const cell = std::get_if<Rectangle>(&element)) {
        const bool ground = cell->paint.ink == Ink::grid;
        below = blended(ground ? blended({}, {Ink::background}, dark) : below, cell->paint, dark);
      } else if (const auto* const label = std::get_if<Label>(&element);
                 label != nullptr && label->text.find('.') != std::string::npos) {
        EXPECT_GE(contrast(blended(below, label->paint, dark), below), 4.5) << label->text;
        numbers += 1;
      }
    }
  }
  EXPECT_GT(numbers, 30);
}

// A thousand classes fit the same square; what is empty costs nothing.
TEST(Charts, DrawAThousandClasses) {
  MatrixChart chart{.title = "Confusion matrix", .labels = {}, .counts = {}};
  for (size_t i = 0; i < 1000; ++i) {
    chart.labels.push_back(str("class ", i));
    chart.counts.emplace_back(1000, 0.0);
    chart.counts.back()[i] = 5;
  }
  const Drawing drawing = draw(chart);
  EXPECT_LT(drawing.width, 800);
  EXPECT_LT(drawing.elements.size(), 1200u);
}

TEST(Charts, SvgIsOneElementThatNeedsNothingElse) {
  for (const auto& [name, drawing] : every_chart()) {
    const std::string svg = svg_file(drawing);
    EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"")) << name;
    EXPECT_TRUE(svg.ends_with("</svg>\n")) << name;
    EXPECT_NE(svg.find("prefers-color-scheme:dark"), std::string::npos);
    EXPECT_EQ(svg.find("href"), std::string::npos);
    EXPECT_EQ(svg.find("nan"), std::string::npos) << name;
  }
  EXPECT_EQ(escaped("a<b & \"c\" \xff é"), "a&lt;b &amp; &quot;c&quot; &#xFFFD; &#xE9;");
}

// Coverage is exact: half a pixel is half grey, a shape's area is the sum of its shares.
TEST(Raster, CoversExactly) {
  data::Image image(20, 10);
  std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{255});
  paint(image, {Rectangle{2.5, 3, 4, 2.25, {Ink::text}}});
  const auto share = [&](int64_t x, int64_t y) {
    return (255.0 - image.row(y)[3 * x]) / (255.0 - color_of(Ink::text, false).r);
  };
  EXPECT_NEAR(share(2, 3), 0.5, 0.01);
  EXPECT_NEAR(share(3, 3), 1, 0.01);
  EXPECT_NEAR(share(6, 4), 0.5, 0.01);
  EXPECT_NEAR(share(4, 5), 0.25, 0.01);
  EXPECT_NEAR(share(7, 4), 0, 0.01);
  data::Image disc(20, 20);
  std::fill(disc.pixels.begin(), disc.pixels.end(), uint8_t{255});
  paint(disc, {Disc{{10.3, 9.8}, 7, {Ink::text}}});
  double area = 0;
  for (int64_t i = 0; i < 400; ++i) area += (255.0 - disc.pixels[static_cast<size_t>(3 * i)]) / 227;
  EXPECT_NEAR(area, 3.14159 * 49, 3);
}

TEST(Raster, LeavesOutWhatIsNoNumber) {
  data::Image image(20, 10);
  std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{255});
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  paint(image, {Rectangle{2.5, 3.5, 4, nan, {Ink::text}}, Rectangle{nan, 3, 4, 2, {Ink::text}},
                Disc{{10, infinity}, 7, {Ink::text}}});
  EXPECT_EQ(std::count(image.pixels.begin(), image.pixels.end(), 255), 600);
}

TEST(Raster, PaintsEveryChart) {
  const char* const folder = std::getenv("BURIN_SHOW_CHARTS");  // keeps them there to be looked at
  for (const auto& [name, drawing] : every_chart()) {
    const data::Image image = rasterised(drawing);
    EXPECT_EQ(image.width, std::lround(drawing.width * 2));
    if (folder == nullptr) continue;
    write_image(std::string(folder) + '/' + name + ".png", image);
    write_file(std::string(folder) + '/' + name + ".svg", svg_file(drawing));
  }
}

TEST(Font, KnowsUtf8AndShortens) {
  EXPECT_EQ(code_points("aé…\xff").size(), 4u);
  EXPECT_GT(text_width("W", 12), text_width("i", 12));
  EXPECT_EQ(shortened("short", 12, 100), "short");
  const std::string cut = shortened("a very long class name éééé", 12, 80);
  EXPECT_LE(text_width(cut, 12), 80);
  EXPECT_TRUE(cut.ends_with("…"));
}

}  // namespace
}  // namespace burin::apps::charts
