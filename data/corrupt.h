#pragma once

#include <memory>
#include <string>
#include <vector>

#include "burin/data/dataset.h"

namespace burin::data {

/// What happens to photos on their way: through a lens, a dark room, a messenger.
struct Corruption {
  enum class Kind : uint8_t { blur, noise, darker, brighter, contrast, jpeg };
  Kind kind = Kind::blur;
  int strength = 1;  // 1, 2 or 3

  /// "blur, sigma 2": what it does, in numbers.
  std::string describe() const;
};

/// Every kind at every strength.
std::vector<Corruption> all_corruptions();

/// The image after it:
///   blur      Gaussian, sigma 1, 2, 4 at 256 pixels of the shorter side, in proportion elsewhere
///   noise     Gaussian of deviation 8, 16, 32 (of 255) on every channel, drawn from `seed`
///   darker    all values times 0.75, 0.5, 0.25;   brighter  times 1.25, 1.6, 2.2
///   contrast  distance from the mean grey times 0.7, 0.4, 0.2
///   jpeg      saved with quality 50, 25, 10
Image corrupt(const Image& image, const Corruption& corruption, uint64_t seed = 0);

/// A data set seen through a corruption. Sample i's noise depends on i alone.
class CorruptedDataset : public Dataset {
 public:
  CorruptedDataset(std::shared_ptr<const Dataset> base, Corruption corruption)
      : base_(std::move(base)), corruption_(corruption) {}

  int64_t size() const override { return base_->size(); }
  const std::vector<std::string>& classes() const override { return base_->classes(); }
  int64_t label(int64_t i) const override { return base_->label(i); }
  std::string name(int64_t i) const override { return base_->name(i); }
  std::shared_ptr<const Image> load(int64_t i) const override;

 private:
  std::shared_ptr<const Dataset> base_;
  Corruption corruption_;
};

}  // namespace burin::data
