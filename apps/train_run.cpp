#include "burin/apps/train_run.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "burin/apps/device.h"
#include "burin/apps/lint/finding.h"
#include "burin/apps/metrics_report.h"
#include "burin/apps/printable.h"
#include "burin/apps/report/report.h"
#include "burin/apps/report/tensorboard.h"
#include "burin/apps/stop.h"
#include "burin/apps/suggest.h"
#include "burin/apps/system_info.h"
#include "burin/apps/table.h"
#include "burin/apps/training/model_file.h"
#include "burin/kernels/base/parallel.h"
#include "burin/kernels/plugin.h"
#include "burin/tensor/files/atomic_file.h"
#include "burin/version.h"

namespace burin::apps {
namespace {

RunFolder folder_for(const TrainOptions& options) {
  return options.resume.empty() ? RunFolder::create(options.project, options.name, options.exist_ok)
                                : RunFolder::open(options.resume);
}

constexpr const char* heading =
    "epoch  train_loss  val_loss  accuracy  precision  recall      f1       lr    img/s   time";

std::string row_of(const EpochResult& e) {
  char text[160];
  std::snprintf(text, sizeof(text),
                "%5s  %10.4f  %8.4f  %8.4f  %9.4f  %6.4f  %6.4f  %7.1e  %7.1f  %5s%s",
                str(e.epoch, '/', e.epochs).c_str(), e.train_loss, e.val_loss, e.accuracy,
                e.precision, e.recall, e.f1, e.learning_rate, e.images_per_second,
                clock_text(e.seconds).c_str(), e.best ? "  best" : "");
  return text;
}

std::string line_of(const EpochResult& e) {
  return str("epoch ", e.epoch, '/', e.epochs, " train_loss=", fixed(e.train_loss, 4),
             " val_loss=", fixed(e.val_loss, 4), " accuracy=", fixed(e.accuracy, 4),
             " precision=", fixed(e.precision, 4), " recall=", fixed(e.recall, 4),
             " f1=", fixed(e.f1, 4), " lr=", e.learning_rate,
             " img_per_s=", fixed(e.images_per_second, 1), " time=", clock_text(e.seconds),
             e.best ? " best" : "");
}

/// At most sixteen images of the first batch with their classes, as the network gets them; nothing
/// where it gets features.
std::vector<Tile> first_training_batch(Trainer& trainer) {
  constexpr int64_t most = 16;
  const std::optional<TrainBatch> batch = trainer.first_batch();
  if (!batch || batch->x.rank() != 4 || batch->x.dim(1) != 3) return {};
  const int64_t N = std::min(batch->size(), most), H = batch->x.dim(2), W = batch->x.dim(3);
  const std::vector<float> values = batch->x.to_vector<float>();
  const std::vector<int64_t> labels = batch->labels.to_vector<int64_t>();
  const models::Preprocess& preprocess = trainer.model().preprocess;
  std::vector<Tile> tiles;
  for (int64_t n = 0; n < N; ++n) {
    data::Image image(W, H);
    for (int64_t i = 0; i < 3 * H * W; ++i) {
      const auto c = static_cast<size_t>(i % 3);
      const float x = values[static_cast<size_t>((3 * n + i % 3) * H * W + i / 3)];
      const float value = 255 * (x * preprocess.std[c] + preprocess.mean[c]);
      image.pixels[static_cast<size_t>(i)] =
          static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 255.0f)));
    }
    const auto label = static_cast<size_t>(labels[static_cast<size_t>(n)]);
    tiles.push_back({std::move(image), {{trainer.data().classes[label]}}});
  }
  return tiles;
}

}  // namespace

TrainRun::TrainRun(const TrainOptions& options, const Terminal& terminal,
                   double log_interval_seconds, std::string arguments)
    : options_(options),
      arguments_(std::move(arguments)),
      folder_(folder_for(options)),
      progress_(terminal, log_interval_seconds,
                [this](const std::string& line) { folder_.log(line); }) {}

void TrainRun::introduce(Trainer& trainer) {
  const TrainingData& data = trainer.data();
  const double millions = static_cast<double>(nn::parameter_count(trainer.model())) * 1e-6;
  progress_.say(str("burin ", release, " · train · ", trainer.device(), " (", compute_threads(),
                    " threads, x86-64-v", cpu_level(), ") · ", options_.model, ' ',
                    fixed(millions, 2), "M params · ", data.train->size(), " train / ",
                    data.val->size(), " val · ", data.classes.size(),
                    " classes: ", listed(data.classes, 10)));
  progress_.say("run folder: " + folder_.path().string());
  for (const std::string& note : trainer.notes()) progress_.say(note);
  if (progress_.draws_bar()) progress_.say(str('\n', heading));

  folder_.write("args.toml", arguments_);
  Json environment = system_json();
  environment.set("device", Json::of(str(trainer.device())));
  environment.set("train_images", Json::of(data.train->size()));
  environment.set("val_images", Json::of(data.val->size()));
  environment.set("data_fingerprint",
                  Json::of(str(std::hex, fingerprint(*data.train), '-', fingerprint(*data.val))));
  folder_.write("env.json", environment.text(2) + "\n");
}

void TrainRun::show_step(const StepProgress& step) {
  ProgressState state{.title = step.validating ? "val" : "train",
                      .epoch = step.epoch,
                      .epochs = step.epochs,
                      .done = step.step,
                      .total = step.steps,
                      .items = step.images};
  if (!std::isnan(step.loss)) state.values.emplace_back("loss", fixed(step.loss, 3));
  progress_.update(state);
}

void TrainRun::show_epoch(const EpochResult& epoch) {
  epochs_.push_back(epoch);
  folder_.write_results(epochs_);
  progress_.say(row_of(epoch), line_of(epoch));
}

TrainOutcome TrainRun::train() {
  TrainCallbacks callbacks;
  callbacks.on_step = [this](const StepProgress& step) { show_step(step); };
  callbacks.on_epoch = [this](const EpochResult& epoch) { show_epoch(epoch); };
  callbacks.wants_loss = [this] { return progress_.due(); };
  callbacks.on_note = [this](const std::string& note) { progress_.say(note); };
  callbacks.stop = &stop_requested();

  const auto trainer =
      failing_with(exit_bad_input, [&] { return std::make_unique<Trainer>(options_, callbacks); });
  if (!options_.resume.empty()) {
    failing_with(exit_bad_input, [&] { trainer->resume(folder_.checkpoint()); });
    epochs_ = trainer->outcome().epochs;
    folder_.write_results(epochs_);  // a kill may have come between checkpoint and table
  }
  const Findings leaks = lint_leaks(*trainer->data().train, *trainer->data().val);
  refuse_fatal(leaks, exit_bad_input);
  introduce(*trainer);
  for (const Finding& finding : leaks) {
    progress_.say("warning: " + finding.title + ": " + finding.explanation);
  }
  TrainOutcome outcome = trainer->run(folder_.weights());
  progress_.clear();
  if (!outcome.interrupted) write_results(*trainer);
  return outcome;
}

ExitCode TrainRun::run() {
  try {
    return run_and_conclude();
  } catch (const WriteError& error) {
    folder_.remove_unused();
    if (!std::filesystem::exists(folder_.checkpoint())) throw;
    throw Failure(exit_failed, error.what(),
                  str("once that is mended, burin train --resume ",
                      shell_word(folder_.path().string()), " goes on from the last checkpoint"));
  } catch (...) {
    folder_.remove_unused();
    throw;
  }
}

ExitCode TrainRun::run_and_conclude() {
  options_.device = str(choose_device(options_.device));
  catch_interrupts_and_broken_pipes();
  for (;;) {
    try {
      outcome_ = train();
      break;
    } catch (const Interrupted&) {
      progress_.clear();
      folder_.remove_unused();
      std::cout << "stopped before the first step: there is nothing to go on with\n";
      return exit_interrupted;
    } catch (const OutOfMemory& error) {
      if (!options_.batch_auto || options_.batch_size == 1) throw;
      options_.batch_size /= 2;
      epochs_.clear();
      progress_.say(str("out of memory: starting again with batches of ", options_.batch_size,
                        "  (", error.what(), ")"));
    }
  }
  return conclude();
}

ExitCode TrainRun::conclude() const {
  const std::string folder = folder_.path().string();
  if (outcome_.interrupted) {
    std::cout << "stopped; the run is saved in " << printable(folder)
              << "\nnext: burin train --resume " << shell_word(folder) << '\n';
    return exit_interrupted;
  }
  if (outcome_.stopped_early) {
    std::cout << "stopped early: no gain in " << options_.patience << " epochs\n";
  }
  std::cout << "best: epoch " << outcome_.best_epoch << ", accuracy "
            << fixed(outcome_.best_accuracy, 4) << " → " << printable(folder_.best());
  if (!options_.no_plots) std::cout << "\nreport: " << printable(folder) << "/report.html";
  std::cout << "\nnext: burin predict -m " << shell_word(folder_.best()) << " photo.jpg\n";
  return exit_ok;
}

/// The best weights once more over the validation set: what the table does not show.
void TrainRun::write_results(Trainer& trainer) {
  ModelCard best = load_model(folder_.best());
  nn::to(*best.model, trainer.device(), Layout::nhwc);
  ProgressState state{.title = "metrics", .total = trainer.data().val->size()};
  const Evaluation evaluation = evaluate(*best.model, trainer.data().val,
                                         {.batch_size = options_.batch_size,
                                          .device = trainer.device(),
                                          .on_progress = [&](int64_t done) {
                                            state.done = state.items = done;
                                            progress_.update(state);
                                            return true;  // moments, and the run is over
                                          }});
  progress_.clear();
  const data::Dataset& val = *trainer.data().val;
  const Analysis analysis = analyse(evaluation, val);
  folder_.write("metrics.json", metrics_json(evaluation, val, analysis).text(2) + "\n");
  if (!options_.no_tensorboard) write_tensorboard(folder_.path(), epochs_);
  if (!options_.no_plots) write_report_of(trainer, evaluation, analysis);
}

void TrainRun::write_report_of(Trainer& trainer, const Evaluation& evaluation,
                               const Analysis& analysis) {
  const TrainingData& data = trainer.data();
  ReportData report{.title = folder_.path().string(),
                    .part = "validation",
                    .epochs = epochs_,
                    .learning_rates = trainer.learning_rates(),
                    .evaluation = &evaluation,
                    .dataset = data.val.get()};
  double seconds = 0;
  for (const EpochResult& e : epochs_) seconds += e.seconds;
  report.facts = {
      {"model", str(options_.model, ", ", options_.recipe, ", head ", options_.head)},
      {"weights to begin with", options_.weights.empty() ? "none" : options_.weights},
      {"data", listed(options_.data, 10) + options_.train_dir},
      {"images", str(data.train->size(), " for training, ", data.val->size(), " for validation")},
      {"optimiser", str(options_.opt, ", learning rate ", options_.lr, ", ", options_.sched,
                        ", batches of ", options_.batch_size)},
      {"augmentation", options_.aug},
      {"device", str(trainer.device(), ", ", compute_threads(), " threads, x86-64-v", cpu_level())},
      {"time", clock_text(seconds)},
      {"made by", str("burin ", release, ", ", timestamp())}};
  report.parts = {{"training", data::class_counts(*data.train)},
                  {"validation", data::class_counts(*data.val)}};
  report.train_batch = first_training_batch(trainer);
  write_report(folder_.path(), report, analysis);
}

}  // namespace burin::apps
