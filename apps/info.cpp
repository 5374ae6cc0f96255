#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/printable.h"
#include "burin/apps/run_folder.h"
#include "burin/apps/suggest.h"
#include "burin/apps/system_info.h"
#include "burin/apps/table.h"
#include "burin/kernels/plugin.h"
#include "burin/models/catalog.h"
#include "burin/tensor/files/weight_file.h"
#include "burin/tensor/random.h"

namespace burin::apps {
namespace {

struct InfoOptions {
  std::string model;
  bool system = false;
  bool models = false;
};

void print_models() {
  Table table({"model", ">parameters", ">input", ""});
  for (const models::CatalogEntry& entry : models::catalog()) {
    Generator generator(0);
    const auto model = models::make_model(entry.name, 1000, generator);
    table.add({entry.name, fixed(static_cast<double>(nn::parameter_count(*model)) * 1e-6, 2) + " M",
               str(entry.input_size), entry.description});
  }
  table.print(std::cout);
  std::cout << "\nParameters with a head for 1000 classes.\n";
}

/// An architecture by name: the tree of its parts.
void print_architecture(const std::string& name) {
  Generator generator(0);
  const auto model = models::make_model(name, 1000, generator);
  std::cout << nn::to_string(*model);
}

/// A weight file of any format: what it says of itself and the tensors in it.
void print_file(const std::string& path) {
  const WeightFile file(path);
  std::cout << printable(path) << ": " << file.format() << ", " << file.entries().size()
            << " tensors\n";
  for (const auto& [key, value] : file.metadata()) {
    std::string line = value;
    std::replace(line.begin(), line.end(), '\n', ',');
    std::cout << "  " << printable(key) << ": " << printable(line) << '\n';
  }
  for (const std::string& note : file.notes()) std::cout << "  note: " << printable(note) << '\n';
  Table table({"tensor", "type", "shape"});
  for (const WeightEntry& entry : file.entries()) {
    const std::string group = entry.group.empty() ? "" : entry.group + '/';
    table.add({group + entry.name, str(entry.type), str(entry.shape)});
  }
  table.print(std::cout);
}

int run_info(const InfoOptions& options) {
  if (options.models) {
    print_models();
  } else if (models::find_model(options.model) != nullptr) {
    print_architecture(options.model);
  } else if (!options.model.empty() && !std::filesystem::exists(options.model)) {
    throw Failure(exit_bad_input,
                  str("there is no file and no model '", options.model, "'",
                      did_you_mean(options.model, models::model_names())),
                  "burin info --models lists the models");
  } else if (!options.model.empty()) {
    failing_with(exit_bad_input, [&] { print_file(model_path(options.model)); });
  } else {
    print_system(std::cout);
  }
  return exit_ok;
}

}  // namespace

Command info_command() {
  const auto options = std::make_shared<InfoOptions>();
  Command command("info", "Files", "what a model file holds, which models there are, this machine");
  command.add("model", &options->model,
              "a model file, the folder of a run, or a name from --models");
  command.add("--system", &options->system, "this machine and the families that are loaded");
  command.add("--models", &options->models, "the architectures that can be trained");
  command.run = [options](const Session&) { return run_info(*options); };
  return command;
}

}  // namespace burin::apps
