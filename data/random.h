#pragma once

#include <array>
#include <cstdint>

#include "burin/kernels/base/random.h"

namespace burin::data {

/// The random numbers of one sample in one epoch. They depend on nothing else, so that an
/// augmentation is the same whatever the number of workers, and after a resume.
class SampleRandom {
 public:
  SampleRandom(uint64_t seed, int64_t epoch, int64_t sample)
      : seed_(seed), offset_(static_cast<uint64_t>(epoch) << 40 | static_cast<uint64_t>(sample)) {}

  uint32_t word() { return philox_word(seed_, offset_, drawn_++); }
  /// In [low, high).
  double uniform(double low, double high) {
    return low + (high - low) * (static_cast<double>(word()) * 0x1p-32);
  }
  bool chance(double probability) { return uniform(0, 1) < probability; }
  /// In [0, n).
  int64_t below(int64_t n) {
    return static_cast<int64_t>(uint64_t{word()} * static_cast<uint64_t>(n) >> 32);
  }

 private:
  uint64_t seed_;
  uint64_t offset_;
  uint64_t drawn_ = 0;
};

}  // namespace burin::data
