#include <filesystem>
#include <iostream>
#include <memory>

#include "burin/apps/charts/charts.h"
#include "burin/apps/charts/raster.h"
#include "burin/apps/charts/svg.h"
#include "burin/apps/commands.h"
#include "burin/apps/device.h"
#include "burin/apps/exit.h"
#include "burin/apps/image_file.h"
#include "burin/apps/json.h"
#include "burin/apps/output.h"
#include "burin/apps/progress.h"
#include "burin/apps/stop.h"
#include "burin/apps/train_command.h"
#include "burin/apps/training/trainer.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {
namespace {

struct LrFindOptions {
  TrainFlags flags;
  LearningRateSearch search;
  int steps = 100;
  std::string out;
};

std::string csv_of(const LearningRateCurve& curve) {
  std::string text = "lr,loss\n";
  for (size_t i = 0; i < curve.rates.size(); ++i) {
    text += str(curve.rates[i], ',', curve.losses[i], '\n');
  }
  return text;
}

std::string json_of(const LearningRateCurve& curve, const LearningRateSuggestions& suggestions) {
  Json rates = Json::array(), losses = Json::array(), suggested = Json::object();
  constexpr int decimals = 12;
  for (const double rate : curve.rates) rates.push(Json::of(rate, decimals));
  for (const double loss : curve.losses) losses.push(Json::of(loss, decimals));
  suggested.set("valley", Json::of(suggestions.valley, decimals));
  suggested.set("slide", Json::of(suggestions.slide, decimals));
  suggested.set("minimum", Json::of(suggestions.minimum, decimals));
  suggested.set("steep", Json::of(suggestions.steep, decimals));
  Json all = Json::object();
  all.set("suggestions", std::move(suggested));
  all.set("lr", std::move(rates));
  all.set("loss", std::move(losses));
  return all.text(2) + "\n";
}

charts::Drawing picture_of(const LearningRateCurve& curve,
                           const LearningRateSuggestions& suggestions) {
  charts::LineChart chart;
  chart.title = "learning-rate range test";
  chart.x_name = "learning rate";
  chart.y_name = "loss, smoothed";
  chart.logarithmic_x = true;
  charts::Series series{"loss", {}};
  for (size_t i = 0; i < curve.rates.size(); ++i) {
    series.points.push_back({curve.rates[i], curve.losses[i]});
  }
  const auto mark = [&](double rate, const char* name) {
    for (size_t i = 0; i < curve.rates.size(); ++i) {
      if (curve.rates[i] == rate) chart.marks.push_back({{rate, curve.losses[i]}, name});
    }
  };
  mark(suggestions.valley, "valley");
  mark(suggestions.slide, "slide");
  mark(suggestions.steep, "steep");
  chart.series.push_back(std::move(series));
  return charts::draw(chart);
}

/// Numbers or a picture, as the extension says.
void write_curve(const std::string& path, const LearningRateCurve& curve,
                 const LearningRateSuggestions& suggestions) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".csv") {
    write_file(path, csv_of(curve));
  } else if (extension == ".json") {
    write_file(path, json_of(curve, suggestions));
  } else if (extension == ".svg") {
    write_file(path, charts::svg_file(picture_of(curve, suggestions)));
  } else {
    write_image(path, charts::rasterised(picture_of(curve, suggestions)));
  }
}

int run_lr_find(LrFindOptions& options, const Session& session) {
  if (options.search.first >= options.search.last) {
    throw Failure(exit_usage, str("--first ", options.search.first, " is not below --last ",
                                  options.search.last));
  }
  if (!options.out.empty()) {
    expect_extension("--out", options.out, {".csv", ".json", ".svg", ".png"});
    expect_writable(options.out);
  }
  options.search.steps = options.steps;
  resolve_train_flags(options.flags, session);
  TrainOptions& train = options.flags.train;
  train.device = str(choose_device(train.device));
  catch_interrupts();
  Progress progress(make_terminal(session.globals), options.flags.log_interval);
  TrainCallbacks callbacks;
  callbacks.stop = &stop_requested();
  callbacks.on_step = [&](const StepProgress& step) {
    progress.update(
        {.title = "lr-find", .done = step.step, .total = step.steps, .items = step.images});
  };
  const auto trainer =
      failing_with(exit_bad_input, [&] { return std::make_unique<Trainer>(train, callbacks); });
  for (const std::string& note : trainer->notes()) progress.say(note);
  const LearningRateCurve curve = trainer->find_learning_rate(options.search);
  progress.clear();
  if (stop_requested()) return exit_interrupted;

  const LearningRateSuggestions suggestions = suggest_learning_rates(curve, options.search.steps);
  if (!options.out.empty()) write_curve(options.out, curve, suggestions);
  if (suggestions.valley == 0) {
    throw Failure(exit_failed,
                  str("the loss rose after ", curve.rates.size(),
                      " steps: too few to suggest a learning rate"),
                  "more --steps, or a smaller --batch-size");
  }
  const auto shown = [](double rate) { return rate > 0 ? str(rate) : "none"; };
  std::cout << "valley   " << suggestions.valley << "   take this one: --lr " << suggestions.valley
            << "\nslide    " << shown(suggestions.slide) << "\nminimum  "
            << shown(suggestions.minimum) << "\nsteep    " << shown(suggestions.steep) << '\n';
  return exit_ok;
}

}  // namespace

Command lr_find_command() {
  const auto options = std::make_shared<LrFindOptions>();
  Command command("lr-find", "Training", "find the learning rate to train with");
  command.details =
      "burin lr-find photos --weights imagenet --out curve.png\n"
      "Tries ever higher rates, a step each, until the loss explodes. Nothing is\n"
      "trained: the model is thrown away. It takes what train takes, so that its\n"
      "command can be tried as it is; what is said of epochs and of the run changes\n"
      "nothing.";
  add_train_options(command, options->flags);
  command.heading("Search");
  command.add("--steps", &options->steps, "rates to try", at_least(20));
  command.add("--first", &options->search.first, "lowest rate", above(0));
  command.add("--last", &options->search.last, "highest rate", above(0));
  command.add("--out", &options->out, "write the curve to a .csv, .json, .svg or .png file");
  command.run = [options](const Session& session) { return run_lr_find(*options, session); };
  return command;
}

}  // namespace burin::apps
