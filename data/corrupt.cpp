#include "burin/data/corrupt.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "burin/data/decode.h"
#include "burin/data/encode.h"
#include "burin/data/random.h"

namespace burin::data {
namespace {

using Kind = Corruption::Kind;

struct KindFacts {
  const char* name;
  const char* unit;
  std::array<double, 3> values;  // by strength
};
/// In the order of Kind.
constexpr std::array<KindFacts, 6> kinds = {{{"blur", "sigma", {1, 2, 4}},
                                             {"noise", "deviation", {8, 16, 32}},
                                             {"darker", "times", {0.75, 0.5, 0.25}},
                                             {"brighter", "times", {1.25, 1.6, 2.2}},
                                             {"contrast", "times", {0.7, 0.4, 0.2}},
                                             {"JPEG", "quality", {50, 25, 10}}}};

const KindFacts& facts_of(const Corruption& corruption) {
  return kinds[static_cast<size_t>(corruption.kind)];
}

double value_of(const Corruption& corruption) {
  check(corruption.strength >= 1 && corruption.strength <= 3, "corrupt: strength ",
        corruption.strength, " is not 1, 2 or 3");
  return facts_of(corruption).values[static_cast<size_t>(corruption.strength - 1)];
}

uint8_t rounded(double value) {
  return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

Image scaled(const Image& image, double factor, double around) {
  std::array<uint8_t, 256> table{};
  for (size_t v = 0; v < table.size(); ++v) {
    table[v] = rounded(around + factor * (static_cast<double>(v) - around));
  }
  Image result = image;
  for (uint8_t& p : result.pixels) p = table[p];
  return result;
}

double mean_of(const Image& image) {
  double sum = 0;
  for (const uint8_t p : image.pixels) sum += p;
  return sum / static_cast<double>(image.pixels.size());
}

/// One pass of a Gaussian: along rows for step 3, along columns for step row_bytes.
Image blurred_along(const Image& image, const std::vector<double>& weights, bool rows) {
  const auto radius = static_cast<int64_t>(weights.size() / 2);
  Image result(image.width, image.height);
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      std::array<double, 3> sum{};
      for (int64_t k = -radius; k <= radius; ++k) {
        const int64_t from_x = rows ? std::clamp<int64_t>(x + k, 0, image.width - 1) : x;
        const int64_t from_y = rows ? y : std::clamp<int64_t>(y + k, 0, image.height - 1);
        const uint8_t* const p = image.row(from_y) + 3 * from_x;
        const double weight = weights[static_cast<size_t>(k + radius)];
        for (size_t c = 0; c < 3; ++c) sum[c] += weight * p[c];
      }
      for (size_t c = 0; c < 3; ++c) {
        result.row(y)[3 * x + static_cast<int64_t>(c)] = rounded(sum[c]);
      }
    }
  }
  return result;
}

Image blurred(const Image& image, double sigma) {
  sigma *= static_cast<double>(std::min(image.width, image.height)) / 256;
  const auto radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<double> weights;
  double sum = 0;
  for (int k = -radius; k <= radius; ++k) {
    weights.push_back(std::exp(-k * k / (2 * sigma * sigma)));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return blurred_along(blurred_along(image, weights, true), weights, false);
}

/// Irwin–Hall: twelve uniforms less six are as good as normal here, and the same on every machine.
Image noisy(const Image& image, double deviation, uint64_t seed) {
  SampleRandom random(seed, 0, 0);
  Image result = image;
  for (uint8_t& p : result.pixels) {
    int64_t sum = 0;
    for (int k = 0; k < 6; ++k) {
      const uint32_t word = random.word();
      sum += (word & 0xFFFF) + (word >> 16);
    }
    p = rounded(p + deviation * (static_cast<double>(sum) / 65'536 - 6));
  }
  return result;
}

}  // namespace

std::string Corruption::describe() const {
  return str(facts_of(*this).name, ", ", facts_of(*this).unit, ' ', value_of(*this));
}

std::vector<Corruption> all_corruptions() {
  std::vector<Corruption> all;
  for (size_t kind = 0; kind < kinds.size(); ++kind) {
    for (int strength = 1; strength <= 3; ++strength) {
      all.push_back({static_cast<Kind>(kind), strength});
    }
  }
  return all;
}

Image corrupt(const Image& image, const Corruption& corruption, uint64_t seed) {
  const double value = value_of(corruption);
  switch (corruption.kind) {
    case Kind::blur:
      return blurred(image, value);
    case Kind::noise:
      return noisy(image, value, seed);
    case Kind::darker:
    case Kind::brighter:
      return scaled(image, value, 0);
    case Kind::contrast:
      return scaled(image, value, mean_of(image));
    case Kind::jpeg:
      return decode(encode_jpeg(image, static_cast<int>(value)), "corrupt");
  }
  fail("corrupt: there is no such kind");
}

std::shared_ptr<const Image> CorruptedDataset::load(int64_t i) const {
  return std::make_shared<Image>(corrupt(*base_->load(i), corruption_, static_cast<uint64_t>(i)));
}

}  // namespace burin::data
