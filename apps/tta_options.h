#pragma once

#include "burin/apps/model_options.h"
#include "burin/apps/training/test_time.h"

namespace burin::apps {

/// What a command is told about test-time augmentation.
struct TtaOptions {
  bool mirror = false;
  int views = 0;
  std::string aug = "auto";
  uint64_t seed = 42;
};

/// Declares --tta, --tta-views, --tta-aug and --seed.
void add_tta_options(Command& command, TtaOptions& options);
/// Throws Failure (usage) for both kinds at once, and for views that would all be alike.
TestTimeAugmentation test_time_augmentation(const TtaOptions& options, const LoadedModel& loaded);
/// "4 views, flip,crop"; "mirror image"; "none".
std::string describe(const TtaOptions& options, const LoadedModel& loaded);

}  // namespace burin::apps
