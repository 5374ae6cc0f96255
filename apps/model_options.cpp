#include "burin/apps/model_options.h"

#include <algorithm>
#include <iostream>
#include <sstream>

#include "burin/apps/device.h"
#include "burin/apps/exit.h"
#include "burin/apps/printable.h"
#include "burin/apps/run_folder.h"
#include "burin/apps/suggest.h"
#include "burin/models/catalog.h"

namespace burin::apps {

void add_model_options(Command& command, ModelOptions& options) {
  command.heading("Model");
  command.add("-m,--model-file", &options.file, "a model file, or the folder of a run");
  add_inference_options(command, options);
}

void add_inference_options(Command& command, ModelOptions& options) {
  add_hint_options(command, options);
  command.add("--device", &options.device, "auto, cpu, cuda, cuda:N, emulator or emulator:N");
  command.add("--amp", &options.amp, "dtype of the activations", one_of({"off", "bf16"}));
}

void add_hint_options(Command& command, ModelOptions& options) {
  command.add("--model", &options.architecture, "its architecture, where the file does not say");
  command.add("--classes", &options.classes,
              "its classes in the order of the labels, likewise: ai,real");
}

void expect_architecture(const std::string& name) {
  if (models::find_model(name) != nullptr) return;
  throw Failure(exit_usage,
                str("there is no model '", name, "'", did_you_mean(name, models::model_names())),
                "burin info --models lists them");
}

ModelHints hints_of(const ModelOptions& options) {
  if (!options.architecture.empty()) expect_architecture(options.architecture);
  ModelHints hints{.architecture = options.architecture, .classes = {}};
  std::istringstream names(options.classes);
  for (std::string name; std::getline(names, name, ',');) {
    std::vector<std::string>& known = hints.classes;
    if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) {
      throw Failure(exit_usage, str("--classes ", options.classes, ": ",
                                    name.empty() ? "a name is empty" : name + " stands twice"));
    }
    known.push_back(name);
  }
  return hints;
}

void print_notes(const ModelCard& card, const Session& session) {
  if (session.globals.quiet) return;
  for (const std::string& note : card.notes) std::cerr << printable_lines(note) << '\n';
}

LoadedModel load_model(const ModelOptions& options, const Session& session) {
  if (options.file.empty()) {
    throw Failure(exit_usage, "no model given", "-m runs/train/exp, or -m FILE");
  }
  const ModelHints hints = hints_of(options);
  LoadedModel loaded;
  loaded.path = model_path(options.file);
  loaded.device = choose_device(options.device);
  loaded.dtype = options.amp == "bf16" ? DType::bf16 : DType::f32;
  loaded.card = failing_with(exit_bad_input, [&] { return load_model(loaded.path, hints); });
  nn::to(loaded.model(), loaded.device, Layout::nhwc);
  print_notes(loaded.card, session);
  return loaded;
}

}  // namespace burin::apps
