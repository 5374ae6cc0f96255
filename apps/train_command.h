#pragma once

#include <string>

#include "burin/apps/exit.h"
#include "burin/apps/options.h"
#include "burin/apps/train_options.h"

namespace burin::apps {

/// What `burin train` is told, where the command line says it differently from TrainOptions.
struct TrainFlags {
  TrainOptions train;
  std::string batch_size = "32";
  int img_size = 0;
  double log_interval = 10;
};

void add_train_options(Command& command, TrainFlags& flags);

/// Settles what depends on the data, the caches and the recipe: sizes, weights, rates.
void resolve_train_flags(TrainFlags& flags, const Session& session);

struct TrainResult {
  ExitCode code;
  std::string folder;  // of the run
};

/// A whole training run. Leaves in `flags` what it resolved.
TrainResult run_train(TrainFlags& flags, const Session& session);

}  // namespace burin::apps
