#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/metrics_report.h"
#include "burin/apps/model_options.h"
#include "burin/apps/output.h"
#include "burin/apps/printable.h"
#include "burin/apps/progress.h"
#include "burin/apps/report/report.h"
#include "burin/apps/run_folder.h"
#include "burin/apps/stop.h"
#include "burin/apps/suggest.h"
#include "burin/apps/table.h"
#include "burin/apps/training/datasets.h"
#include "burin/apps/tta_options.h"
#include "burin/data/corrupt.h"
#include "burin/data/image_folder.h"
#include "burin/tensor/files/atomic_file.h"
#include "burin/version.h"

namespace burin::apps {
namespace {

struct EvaluateOptions {
  ModelOptions model;
  std::string data;
  std::string split = "auto";
  int batch_size = 32;
  int workers = 0;
  TtaOptions tta;
  double fail_under = 0;
  std::string json;
  std::string out = "runs/evaluate/exp";
  bool no_report = false;
  bool corrupt = false;
  std::string positive;
  int top_losses = 9;
};

Evaluation run_model(const EvaluateOptions& options, const LoadedModel& loaded,
                     const std::shared_ptr<const data::Dataset>& dataset, const Session& session) {
  Progress progress(make_terminal(session.globals), 10);
  ProgressState state{.title = "evaluate", .total = dataset->size() * (1 + options.tta.views)};
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return evaluate(loaded.model(), dataset,
                  {.batch_size = options.batch_size,
                   .workers = options.workers > 0 ? options.workers : std::clamp(cores, 1, 8),
                   .dtype = loaded.dtype,
                   .tta = test_time_augmentation(options.tta, loaded),
                   .device = loaded.device,
                   .on_progress = [&](int64_t done) {
                     state.done = state.items = done;
                     progress.update(state);
                     return !stop_requested();
                   }});
}

/// The model over every corruption of the data, the data as they are first.
std::vector<CorruptionResult> run_corruptions(const EvaluateOptions& options,
                                              const LoadedModel& loaded,
                                              const std::shared_ptr<const data::Dataset>& dataset,
                                              double clean_accuracy, const Session& session) {
  std::vector<CorruptionResult> results = {{"none", clean_accuracy}};
  for (const data::Corruption& corruption : data::all_corruptions()) {
    const auto changed = std::make_shared<data::CorruptedDataset>(dataset, corruption);
    const Evaluation evaluation = run_model(options, loaded, changed, session);
    results.push_back({corruption.describe(), evaluation.confusion.accuracy()});
  }
  Table table({"corruption", ">accuracy", ">loses"});
  for (const CorruptionResult& result : results) {
    table.add({result.name, fixed(result.accuracy, 4), fixed(clean_accuracy - result.accuracy, 4)});
  }
  std::cout << '\n';
  table.print(std::cout);
  return results;
}

Json accuracies(const std::vector<CorruptionResult>& results) {
  Json object = Json::object();
  for (const CorruptionResult& result : results) {
    object.set(result.name, Json::of(result.accuracy, 6));
  }
  return object;
}

/// The class that --positive names, else the first.
int64_t positive_class(const EvaluateOptions& options, const std::vector<std::string>& classes) {
  const auto found = std::find(classes.begin(), classes.end(), options.positive);
  if (options.positive.empty()) return 0;
  if (found == classes.end()) {
    throw Failure(exit_usage, str("--positive: there is no class '", options.positive, "'",
                                  did_you_mean(options.positive, classes)));
  }
  return found - classes.begin();
}

void print_report(const EvaluateOptions& options, const LoadedModel& loaded,
                  const std::string& split, const Analysis& analysis, ReportData report) {
  const std::filesystem::path out = options.out;
  const std::filesystem::path folder =
      make_numbered_folder(out.parent_path(), out.filename().string());
  report.title = str(loaded.model().architecture, " on ", options.data, " (", split, ")");
  report.part = split == "all" ? "evaluated" : split;
  report.facts = {{"model", loaded.path},
                  {"data", options.data + " (" + split + ")"},
                  {"test-time augmentation", describe(options.tta, loaded)},
                  {"images per second", fixed(report.evaluation->images_per_second, 1)},
                  {"made by", str("burin ", release, ", ", timestamp())}};
  report.parts = {{report.part, data::class_counts(*report.dataset)}};
  report.top_losses = static_cast<size_t>(options.top_losses);
  write_report(folder, report, analysis);
  std::cout << "report: " << printable((folder / "report.html").string()) << '\n';
}

int run_evaluate(const EvaluateOptions& options, const Session& session) {
  if (options.data.empty()) {
    throw Failure(exit_usage, "no data folder given", "burin evaluate -m MODEL DIR");
  }
  failing_with(exit_bad_input, [&] { data::expect_folder(options.data); });
  expect_writable(options.json);
  if (!options.no_report) expect_room_for_folder(options.out);
  const LoadedModel loaded = load_model(options.model, session);
  const int64_t positive = positive_class(options, loaded.card.classes);
  const std::string split = evaluation_part(options.split, options.data);
  const std::shared_ptr<const data::Dataset> dataset = failing_with(exit_bad_input, [&] {
    return std::make_shared<data::CachedDataset>(
        open_evaluation_data(options.data, split, loaded.card.classes));
  });
  catch_interrupts();
  try {
    const Evaluation evaluation = run_model(options, loaded, dataset, session);
    const Analysis analysis = analyse(evaluation, *dataset);
    const double accuracy = evaluation.confusion.accuracy();
    std::cout << printable(loaded.path) << " on " << printable(options.data) << " (" << split
              << ")\n\n";
    print_metrics(std::cout, evaluation, *dataset, analysis);
    ReportData report{.evaluation = &evaluation, .dataset = dataset.get(), .positive = positive};
    if (options.corrupt) {
      report.corruption = run_corruptions(options, loaded, dataset, accuracy, session);
    }
    if (!options.json.empty()) {
      Json metrics = metrics_json(evaluation, *dataset, analysis);
      if (options.corrupt) metrics.set("accuracy_under_corruption", accuracies(report.corruption));
      write_file(options.json, metrics.text(2) + "\n");
    }
    if (!options.no_report) print_report(options, loaded, split, analysis, std::move(report));
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
  command.details =
      "burin evaluate -m runs/train/exp photos --json metrics.json\n"
      "burin evaluate -m runs/train/exp photos --corrupt --positive fake";
  add_model_options(command, options->model);
  command.heading("Data");
  command.add("data,--data", &options->data, "as burin train takes it");
  command.add("--split", &options->split, "auto: test, else val, else everything",
              one_of({"auto", "train", "val", "test", "all"}));
  command.add("-b,--batch-size", &options->batch_size, "images at once", at_least(1));
  command.add("-j,--workers", &options->workers, "threads that decode; 0: the cores, at most 8",
              between(0, 1024));
  add_tta_options(command, options->tta);
  command.heading("Results");
  command.add("--fail-under", &options->fail_under, "exit with 1 below this accuracy",
              between(0, 1));
  command.add("--json", &options->json, "write all metrics to a file");
  command.add("--out", &options->out, "folder of the report; numbered where it exists");
  command.add("--no-report", &options->no_report, "print the numbers only");
  command.add("--top-losses", &options->top_losses, "images in each gallery", between(1, 100));
  command.add("--positive", &options->positive,
              "class of the headline and the ROC curve; the first");
  command.add("--corrupt", &options->corrupt,
              "also under blur, noise, light, contrast and compression");
  command.run = [options](const Session& session) { return run_evaluate(*options, session); };
  return command;
}

}  // namespace burin::apps
