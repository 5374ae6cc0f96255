#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/metrics_report.h"
#include "burin/apps/model_options.h"
#include "burin/apps/progress.h"
#include "burin/apps/stop.h"
#include "burin/apps/table.h"
#include "burin/apps/training/datasets.h"
#include "burin/data/idx.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {
namespace {

struct EvaluateOptions {
  ModelOptions model;
  std::string data;
  std::string split = "auto";
  int batch_size = 32;
  int workers = 0;
  double fail_under = 0;
  std::string json;
};

/// The part to look at where none is named: what was held back from training first.
std::string resolve_split(const EvaluateOptions& options) {
  if (options.split != "auto") return options.split;
  if (data::is_idx_folder(options.data)) return "test";
  for (const char* const part : {"test", "val"}) {
    if (std::filesystem::is_directory(std::filesystem::path(options.data) / part)) return part;
  }
  return "all";
}

Evaluation run_model(const EvaluateOptions& options, const LoadedModel& loaded,
                     const std::shared_ptr<const data::Dataset>& dataset, const Session& session) {
  Progress progress(make_terminal(session.globals), 10);
  ProgressState state{.title = "evaluate", .total = dataset->size()};
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return evaluate(loaded.model(), dataset,
                  {.batch_size = options.batch_size,
                   .workers = options.workers > 0 ? options.workers : std::clamp(cores, 1, 8),
                   .dtype = loaded.dtype,
                   .device = loaded.device,
                   .on_progress = [&](int64_t done) {
                     state.done = state.items = done;
                     progress.update(state);
                     return !stop_requested();
                   }});
}

int run_evaluate(const EvaluateOptions& options, const Session& session) {
  if (options.data.empty()) {
    throw Failure(exit_usage, "no data folder given", "burin evaluate -m MODEL DIR");
  }
  const LoadedModel loaded = load_model(options.model, session);
  const std::string split = resolve_split(options);
  const std::shared_ptr<const data::Dataset> dataset = failing_with(exit_bad_input, [&] {
    return open_evaluation_data(options.data, split, loaded.card.classes);
  });
  catch_interrupts();
  try {
    const Evaluation evaluation = run_model(options, loaded, dataset, session);
    std::cout << loaded.path << " on " << options.data << " (" << split << ")\n\n";
    print_metrics(std::cout, evaluation, *dataset);
    if (!options.json.empty()) {
      write_file(options.json, metrics_json(evaluation, *dataset).text(2) + "\n");
    }
    const double accuracy = evaluation.confusion.accuracy();
    if (accuracy < options.fail_under) {
      throw Failure(exit_failed, str("accuracy ", fixed(accuracy, 4), " is below --fail-under ",
                                     options.fail_under));
    }
  } catch (const Interrupted&) {
    return exit_interrupted;
  }
  return exit_ok;
}

}  // namespace

Command evaluate_command() {
  const auto options = std::make_shared<EvaluateOptions>();
  Command command("evaluate", "Results", "how good a model is on labelled images");
  command.details = "burin evaluate -m runs/train/exp photos --json metrics.json";
  add_model_options(command, options->model);
  command.heading("Data");
  command.add("data,--data", &options->data, "as burin train takes it");
  command.add("--split", &options->split, "auto: test, else val, else everything",
              one_of({"auto", "train", "val", "test", "all"}));
  command.add("-b,--batch-size", &options->batch_size, "images at once", at_least(1));
  command.add("-j,--workers", &options->workers, "threads that decode; 0: the cores, at most 8",
              between(0, 1024));
  command.heading("Results");
  command.add("--fail-under", &options->fail_under, "exit with 1 below this accuracy",
              between(0, 1));
  command.add("--json", &options->json, "write all metrics to a file");
  command.run = [options](const Session& session) { return run_evaluate(*options, session); };
  return command;
}

}  // namespace burin::apps
