#pragma once

#include "burin/apps/exit.h"
#include "burin/apps/progress.h"
#include "burin/apps/report/analysis.h"
#include "burin/apps/run_folder.h"
#include "burin/apps/training/trainer.h"

namespace burin::apps {

/// One `burin train` from the first line on the screen to the last: the trainer, its run folder and
/// what the user sees.
class TrainRun {
 public:
  /// `arguments` is what args.toml will hold.
  TrainRun(const TrainOptions& options, const Terminal& terminal, double log_interval_seconds,
           std::string arguments);

  /// Returns the exit code. Throws Failure for data, weights and options that can't be used.
  ExitCode run();

  const RunFolder& folder() const { return folder_; }

 private:
  TrainOutcome train();
  void introduce(Trainer& trainer);
  ExitCode run_and_conclude();
  void show_step(const StepProgress& step);
  void show_epoch(const EpochResult& epoch);
  ExitCode conclude() const;
  void write_results(Trainer& trainer);
  void write_report_of(Trainer& trainer, const Evaluation& evaluation, const Analysis& analysis);

  TrainOptions options_;
  std::string arguments_;
  RunFolder folder_;
  Progress progress_;
  TrainOutcome outcome_;
  std::vector<EpochResult> epochs_;
};

}  // namespace burin::apps
