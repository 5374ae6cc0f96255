// What Pillow, torchvision and torch compute (tests/golden/data_golden.txt), bit for bit.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>

#include "burin/data/color_jitter.h"
#include "burin/data/resize.h"
#include "burin/data/split.h"
#include "burin/data/transforms.h"
#include "data/noise.h"
#include "support/test_data.h"

namespace burin::data {
namespace {

using testing_support::fnv;
using testing_support::noise;

Filter read_filter(std::istream& in) {
  std::string name;
  in >> name;
  return name == "bicubic" ? Filter::bicubic : Filter::bilinear;
}

uint64_t resize_case(std::istream& in) {
  int64_t w = 0;
  int64_t h = 0;
  ResizePlan plan;
  in >> w >> h >> plan.box.left >> plan.box.top >> plan.box.right >> plan.box.bottom >>
      plan.width >> plan.height;
  plan.filter = read_filter(in);
  plan.window = {0, 0, plan.width, plan.height};
  return fnv(resize(noise(w, h), plan).pixels);
}

uint64_t evaluate_case(std::istream& in) {
  int64_t w = 0;
  int64_t h = 0;
  EvaluationOptions options;
  in >> w >> h >> options.resize >> options.crop;
  options.filter = read_filter(in);
  SampleRandom random(0, 0, 0);
  return fnv(evaluation_transform(options).apply(noise(w, h), random).pixels);
}

template <class Factor>
uint64_t adjust_case(std::istream& in, void (*adjust)(Image&, Factor)) {
  int64_t w = 0;
  int64_t h = 0;
  Factor factor = 0;
  in >> w >> h >> factor;
  Image image = noise(w, h);
  adjust(image, factor);
  return fnv(image.pixels);
}

uint64_t randperm_case(std::istream& in) {
  int64_t n = 0;
  uint64_t seed = 0;
  in >> n >> seed;
  const std::vector<int64_t> order = randperm(n, seed);
  return fnv({reinterpret_cast<const uint8_t*>(order.data()), order.size() * sizeof(int64_t)});
}

const std::map<std::string, std::function<uint64_t(std::istream&)>> cases = {
    {"resize", resize_case},
    {"evaluate", evaluate_case},
    {"brightness", [](std::istream& in) { return adjust_case(in, adjust_brightness); }},
    {"contrast", [](std::istream& in) { return adjust_case(in, adjust_contrast); }},
    {"saturation", [](std::istream& in) { return adjust_case(in, adjust_saturation); }},
    {"hue", [](std::istream& in) { return adjust_case(in, adjust_hue); }},
    {"randperm", randperm_case},
};

TEST(Golden, PillowTorchvisionAndTorchBitForBit) {
  std::ifstream file(testing_support::golden("data_golden.txt"));
  ASSERT_TRUE(file.is_open());
  int count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    std::istringstream in(line);
    std::string kind;
    in >> kind;
    const uint64_t actual = cases.at(kind)(in);
    uint64_t expected = 0;
    in >> std::hex >> expected;
    EXPECT_EQ(actual, expected) << line;
  }
  EXPECT_EQ(count, 79);
}

}  // namespace
}  // namespace burin::data
